"""E2Rank's training: losses on vectors of documents, plain queries and listwise prompts.

One objective serves both stages, and both decoders and bidirectional encoders: inputs and pooling are the
code of the evaluation (:mod:`e2rank_eval.models.encoders`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from e2rank_eval.config.training import (
    DirectionSettings,
    InfoNCESettings,
    Stage1Run,
    Stage2Run,
)
from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import Batch
from e2rank_eval.models.encoders.backbone import TokenSequence
from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.models.encoders.cache import CachedEncoder
from e2rank_eval.models.encoders.decoder import DecoderEncoder
from e2rank_eval.models.encoders.pooled import PooledEncoder
from e2rank_eval.models.engines.transformers_encoder import TransformersBackbone
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.records import ListwiseInput
from e2rank_eval.training.lists import TrainingList
from e2rank_eval.training.losses import (
    cosine_distance,
    feedback_direction,
    info_nce,
    list_net,
    oracle_direction,
    ranknet,
)
from e2rank_eval.training.objectives import (
    Objective,
    Terms,
    add_gradients,
    development_scores,
    list_loss,
    prepare_module,
    run_batches,
)


def load_vector_objective(
    settings: Stage1Run | Stage2Run, base: ResolvedModel, cache: Path
) -> VectorObjective:
    """Load the objective on the model ``base``, with the run's token limits.

    Frozen documents are cut as in the base model's registry entry, so that an index of its vectors remains
    valid; their vectors are kept in ``cache/vectors/``.

    Raises
    ------
    InputError
        When the model is not an encoder, or its window is shorter than the run's.
    """
    plain = None
    if settings.frozen_documents:
        # A base with frozen documents itself has the vectors of its own base.
        own = base.entry.plain_model
        start = base if own is None else Catalogue(cache).resolve(own, "encoder", "decoder")
        frozen = load_encoder(start.path, start.entry, file_hashes=start.files)
        plain = CachedEncoder(frozen, cache / "vectors")
    window = settings.window or base.entry.window
    limits = {"query_tokens": settings.query_tokens, "window": window, "dtype": "float32"}
    trained = load_encoder(
        base.path,
        base.entry.model_copy(update=limits),
        file_hashes=base.files,
        prompt=settings.prompt.variant if base.entry.kind == "decoder" else "eval",
        document_tokens=min(settings.document_tokens, window),
    )
    return VectorObjective(trained, settings, plain)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """One batch: its lists, the sequences to encode with gradients (by role), the distinct documents.

    ``columns`` and ``prompted`` are the rows in ``texts`` of each list's documents, and of the documents in
    its prompt.
    """

    lists: Sequence[TrainingList]
    sequences: dict[str, list[TokenSequence]]
    texts: list[str]
    columns: list[list[int]]
    prompted: list[list[int]]


class VectorObjective(Objective):
    """Stage I (InfoNCE) or Stage II (InfoNCE + lambda x RankNet) of the paper.

    With ``frozen_documents``, ``plain`` is the model that training starts from: documents and plain queries
    keep its vectors. Otherwise it is None.
    """

    def __init__(
        self,
        encoder: PooledEncoder | DecoderEncoder,
        settings: Stage1Run | Stage2Run,
        plain: Encoder | None = None,
    ) -> None:
        if not isinstance(encoder.backbone, TransformersBackbone):
            raise InputError(f"{encoder.name} cannot be trained on it", hint="set engine: transformers")
        self._encoder = encoder
        self._settings = settings
        self._plain = plain
        self._frozen_queries: dict[str, Vectors] = {}
        losses = settings.list_net, settings.ranknet, settings.info_nce
        self._compared = [one.vector for one in losses if one is not None]
        self._backbone = encoder.backbone
        self.module: Any = prepare_module(self._backbone.model, settings)
        self._backbone.model = self.module
        self.tokenizer: Any = self._backbone.tokenizer

    def prepare(self, lists: Sequence[TrainingList]) -> None:
        """Encode frozen documents and plain queries, and keep their vectors."""
        if self._plain is not None:
            queries = list(dict.fromkeys(item.query for item in lists))
            self._frozen_queries |= zip(queries, self._plain.encode(queries, "query").vectors, strict=True)
            texts = dict.fromkeys(text for item in lists for text in item.documents)
            self._plain.encode(list(texts), "document")

    def backward(self, run: Any, lists: Sequence[TrainingList], accelerator: Any, *, seed: int) -> Terms:
        """Add the gradients of this batch; the terms are its unweighted losses and their weighted sum."""
        prompts = draw_prompts(self._settings.prompt.documents, lists, random.Random(seed))
        inputs = self._inputs(lists, prompts)
        return add_gradients(self._losses(inputs, self._vectors(run, inputs, seed=seed)), accelerator)

    def evaluate(self, lists: Sequence[TrainingList]) -> Terms:
        """Return nDCG@10 and the share of ordered pairs; prompts have as many documents as training has."""
        documents = self._settings.prompt.documents
        most = documents and (documents[1], documents[1])
        inputs = self._inputs(lists, draw_prompts(most, lists, random.Random(0)))
        by_role = self._by_role(inputs, self._vectors(self.module, inputs, seed=0))
        scores = (by_role[self._compared[0]] @ by_role["document"].T).cpu().double().numpy()
        return development_scores(lists, [row[own] for row, own in zip(scores, inputs.columns, strict=True)])

    def _inputs(self, lists: Sequence[TrainingList], prompts: Sequence[ListwiseInput]) -> _Inputs:
        places: dict[str, int] = {}
        columns = [[places.setdefault(text, len(places)) for text in item.documents] for item in lists]
        prompted = [[places[text] for text in prompt.documents] for prompt in prompts]
        # Sequences to encode with gradients; with frozen documents, the frozen model gives the other vectors.
        trained = self._plain is None
        rows: dict[str, Sequence[tuple[TokenSequence, int]]] = {}
        if trained and ("query" in self._compared or self._settings.residual is not None):
            rows["query"] = self._encoder.plain_inputs([item.query for item in lists], "query")
        if "listwise" in self._compared:
            rows["listwise"] = [self._encoder.listwise_input(prompt)[:2] for prompt in prompts]
        if trained:
            rows["document"] = self._encoder.plain_inputs(list(places), "document")
        sequences = {role: [sequence for sequence, _ in own] for role, own in rows.items()}
        return _Inputs(lists, sequences, list(places), columns, prompted)

    def _vectors(self, run: Any, inputs: _Inputs, *, seed: int) -> Tensor:
        """Return the unit vectors [n, d] of all sequences, in the order of ``inputs.sequences``."""
        flat = [sequence for role in inputs.sequences.values() for sequence in role]

        def forward(batch: Batch) -> Tensor:
            chosen = [flat[position] for position in batch.positions]
            return functional.normalize(self._backbone.pooled(batch, chosen, model=run), dim=-1)

        lengths, window = [len(one.ids) for one in flat], self._backbone.window
        return run_batches(forward, lengths, window, self.module.device, seed=seed)

    def _by_role(self, inputs: _Inputs, vectors: Tensor) -> dict[str, Tensor]:
        """Return vectors [n, d] by role, the frozen model's included, with the residual added."""
        sizes = [len(one) for one in inputs.sequences.values()]
        found = dict(zip(inputs.sequences, torch.split(vectors, sizes), strict=True))
        if self._plain is not None:
            queries = np.stack([self._frozen_queries[item.query] for item in inputs.lists])
            documents = np.array(self._plain.encode(inputs.texts, "document").vectors)
            found["query"] = torch.from_numpy(queries).to(vectors.device)
            found["document"] = torch.from_numpy(documents).to(vectors.device)
        residual = self._settings.residual
        if "listwise" in found and residual is not None:
            enriched = residual.weight * found["query"] + found["listwise"]
            found["listwise"] = functional.normalize(enriched, dim=-1)
        return found

    def _losses(self, inputs: _Inputs, vectors: Tensor) -> dict[str, Tensor]:
        """Return each loss by name, and their weighted sum as ``loss``."""
        settings, by_role = self._settings, self._by_role(inputs, vectors)
        weighted: dict[str, tuple[float, Tensor]] = {}
        if settings.info_nce is not None:
            weighted["info_nce"] = settings.info_nce.weight, _contrast(by_role, inputs, settings.info_nce)
        over_lists = ("ranknet", settings.ranknet, ranknet), ("list_net", settings.list_net, list_net)
        for name, one, loss in over_lists:
            if one is not None:
                products = by_role[one.vector] @ by_role["document"].T
                own = torch.cat([row[place] for row, place in zip(products, inputs.columns, strict=True)])
                weighted[name] = one.weight, list_loss(loss, own, inputs.lists, one.temperature)
        if settings.direction is not None:
            weighted |= _directions(by_role, inputs, settings.direction)
        total = vectors.new_zeros(())
        for weight, term in weighted.values():
            total = total + weight * term
        return {name: term for name, (_, term) in weighted.items()} | {"loss": total}


def _directions(
    by_role: dict[str, Tensor], inputs: _Inputs, settings: DirectionSettings
) -> dict[str, tuple[float, Tensor]]:
    """Return weight and distance, by name, of each target that regularises the listwise vectors."""
    queries, documents, found = by_role["query"], by_role["document"], {}
    if settings.oracle:
        lists = zip(inputs.lists, inputs.columns, strict=True)
        positives = [[own[place] for place in item.positives] for item, own in lists]
        target = oracle_direction(queries, documents, positives)
        found["oracle"] = settings.oracle, cosine_distance(by_role["listwise"], target)
    if settings.feedback:
        target = feedback_direction(queries, documents, inputs.prompted, temperature=settings.temperature)
        found["feedback"] = settings.feedback, cosine_distance(by_role["listwise"], target)
    return found


def draw_prompts(
    documents: tuple[int, int] | None, lists: Sequence[TrainingList], draw: random.Random
) -> list[ListwiseInput]:
    """Return one listwise input for each list, with its first documents.

    Their number is drawn from ``documents`` (least, most); None for all.
    """
    prompts = []
    for item in lists:
        listed = item.documents
        if documents is not None:
            draw.random()  # unused, but the shipped weights were trained with the draws after it
            listed = listed[: draw.randint(*documents)]
        prompts.append(ListwiseInput(item.query, listed))
    return prompts


def _contrast(by_role: dict[str, Tensor], inputs: _Inputs, settings: InfoNCESettings) -> Tensor:
    """Return InfoNCE over the batch's distinct texts, with one comparison for each positive.

    No text is a negative twice, and a list's positives are never its negatives.
    """
    documents = by_role["document"]
    rows, targets, excluded = [], [], []
    for row, (item, own) in enumerate(zip(inputs.lists, inputs.columns, strict=True)):
        known = item.positives if settings.positive == "labelled" else (item.best,)
        equals = [place for place, rank in enumerate(item.ranks) if rank == item.ranks[item.best]]
        out = torch.zeros(len(documents), dtype=torch.bool, device=documents.device)
        out[[own[place] for place in {*known, *equals}]] = True
        for column in dict.fromkeys(own[place] for place in known):
            rows.append(row)
            targets.append(column)
            excluded.append(out.clone())
            excluded[-1][column] = False
    return info_nce(
        by_role[settings.vector][rows],
        documents,
        torch.tensor(targets, device=documents.device),
        temperature=settings.temperature,
        excluded=torch.stack(excluded),
    )
