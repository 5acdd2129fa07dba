"""E2Rank's training: losses on vectors of documents, plain queries and listwise prompts.

One objective serves both stages, and decoders and bidirectional encoders alike: what a model reads and
which states are its vector is the evaluation's own code (:mod:`e2rank_eval.models.encoders`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from e2rank_eval.config import InfoNCESettings, PromptSettings, Stage1Run, Stage2Run
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder, Kind, Vectors
from e2rank_eval.models.encoders.batching import BATCH_TOKENS, Batch, plan_batches
from e2rank_eval.models.encoders.decoder import DecoderEncoder
from e2rank_eval.models.encoders.pooled import PooledEncoder
from e2rank_eval.models.encoders.states import TransformerStates
from e2rank_eval.models.encoders.tokenised import TokenSequence
from e2rank_eval.training import directions
from e2rank_eval.training.development import development_scores
from e2rank_eval.training.gradient_cache import differentiate, in_order
from e2rank_eval.training.lists import TrainingList
from e2rank_eval.training.losses import info_nce, ranknet
from e2rank_eval.training.objectives import Terms, padded
from e2rank_eval.training.prompts import draw_prompts, draw_window
from e2rank_eval.training.trainable import Residual, WithResidual, prepare_module


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What is encoded with gradients, by role; distinct documents, which of them each list has, and
    which its prompt lists."""

    sequences: dict[str, list[TokenSequence]]
    texts: list[str]
    columns: list[list[int]]
    listed: list[list[int]]


class VectorObjective:
    """Stage I (InfoNCE) or Stage II (InfoNCE + lambda x RankNet) of the paper.

    ``plain`` is the model that training starts from, whose vectors documents and plain queries keep
    where ``frozen_documents`` is set; else there is none.
    """

    def __init__(
        self,
        encoder: PooledEncoder | DecoderEncoder,
        settings: Stage1Run | Stage2Run,
        plain: Encoder | None = None,
    ) -> None:
        self._encoder = encoder
        self._settings = settings
        self._plain = plain
        self._frozen_queries: dict[str, Vectors] = {}
        self._info = settings.info_nce
        stage2 = settings if isinstance(settings, Stage2Run) else None
        self._rank = stage2.ranknet if stage2 else None
        self._prompt = stage2.prompt if stage2 else PromptSettings()
        self._frozen = stage2 is not None and stage2.frozen_documents
        self._pull = stage2.pull if stage2 else 0.0
        self._direction = stage2.direction if stage2 else None
        residual = stage2.residual if stage2 else None
        self._residual = Residual(residual.weight, learned=residual.learned) if residual else None
        self._roles = self._needed_roles()
        if not isinstance(encoder.states, TransformerStates):
            raise InputError(f"{encoder.name} cannot be trained on it", hint="set engine: transformers")
        self._states = encoder.states
        body = prepare_module(self._states.model, settings)
        self._states.model = body
        self.module: Any = body
        self.transformer: Any = body
        self.tokenizer: Any = self._states.tokenizer
        if residual is not None and residual.learned and self._residual is not None:
            self.module = WithResidual(body, self._residual.to(self._states.device))

    def _needed_roles(self) -> list[str]:
        compared = {one.vector for one in (self._info, self._rank) if one is not None}
        plain = "query" in compared or self._residual is not None or self._pull > 0
        roles = ["query"] if plain and not self._frozen else []
        roles += ["listwise"] if "listwise" in compared else []
        return roles if self._frozen else [*roles, "document"]

    def prepare(self, lists: Sequence[TrainingList]) -> None:
        """Encode frozen documents and plain queries; their vectors are kept."""
        if self._plain is not None:
            queries = list(dict.fromkeys(item.query for item in lists))
            self._frozen_queries |= zip(queries, self._plain.encode(queries, "query").vectors, strict=True)
            texts = dict.fromkeys(text for item in lists for text in item.documents)
            self._plain.encode(list(texts), "document")

    def backward(self, run: Any, lists: Sequence[TrainingList], accelerator: Any, *, seed: int) -> Terms:
        """Add the gradients of this batch; the terms are its unweighted losses and their weighted sum."""
        draw = random.Random(seed)
        prompts = draw_prompts(self._prompt, lists, draw)
        inputs = self._inputs(lists, prompts, draw_window(self._prompt, draw))
        flat = [sequence for role in self._roles for sequence in inputs.sequences[role]]
        cached = self._settings.gradient_cache
        batches = plan_batches(
            [len(one.ids) for one in flat], self._states.window, batch_tokens=cached or BATCH_TOKENS
        )
        terms: dict[str, Tensor] = {}

        def forward(chunk: int) -> Tensor:
            torch.manual_seed(seed + 1 + chunk)  # dropout: the same however often a chunk runs
            return self._vectors(run, batches[chunk], flat)

        def loss(outputs: Sequence[Tensor]) -> Tensor:
            terms.update(self._losses(lists, inputs, in_order(outputs, batches)))
            return terms["loss"]

        differentiate(len(batches), forward, loss, accelerator, run, cached=cached is not None)
        return {name: float(value.detach()) for name, value in terms.items()}

    def evaluate(self, lists: Sequence[TrainingList]) -> Terms:
        """nDCG@10 and pairs in order, each list's prompt listing as many documents as training may."""
        compared = self._rank or self._info
        assert compared is not None
        prompts = self._evaluation_prompts(lists)
        self.module.eval()
        try:
            found = [self._scores(*one, compared.vector) for one in zip(lists, prompts, strict=True)]
        finally:
            self.module.train()
        return development_scores(lists, found)

    def _evaluation_prompts(self, lists: Sequence[TrainingList]) -> list[Any]:
        most = self._prompt.documents and (self._prompt.documents[1],) * 2
        settings = self._prompt.model_copy(update={"leave_out": 0.0, "documents": most})
        return draw_prompts(settings, lists, random.Random(0))

    @torch.no_grad()
    def _scores(self, item: TrainingList, prompt: Any, vector: str) -> Any:
        inputs = self._inputs([item], [prompt], max(self._prompt.windows, default=None))
        flat = [sequence for role in self._roles for sequence in inputs.sequences[role]]
        batches = plan_batches([len(one.ids) for one in flat], self._states.window)
        vectors = in_order([self._vectors(self.module, one, flat) for one in batches], batches)
        by_role = self._by_role([item], inputs, vectors)
        return (by_role["document"] @ by_role[vector][0])[inputs.columns[0]].cpu().double().numpy()

    def _inputs(self, lists: Sequence[TrainingList], prompts: Sequence[Any], window: int | None) -> _Inputs:
        places: dict[str, int] = {}
        columns = [[places.setdefault(text, len(places)) for text in item.documents] for item in lists]
        sequences: dict[str, list[TokenSequence]] = {}
        if "query" in self._roles:
            sequences["query"] = self._plain_inputs([item.query for item in lists], "query")
        if "listwise" in self._roles:
            rows = [self._encoder.listwise_input(prompt, window=window) for prompt in prompts]
            sequences["listwise"] = [sequence for sequence, _ in rows]
        if "document" in self._roles:
            sequences["document"] = self._plain_inputs(list(places), "document")
        listed = [[places[text] for text in prompt.documents] for prompt in prompts]
        return _Inputs(sequences, list(places), columns, listed)

    def _plain_inputs(self, texts: Sequence[str], kind: Kind) -> list[TokenSequence]:
        return [sequence for sequence, _ in self._encoder.plain_inputs(texts, kind)]

    def _vectors(self, run: Any, batch: Batch, flat: Sequence[TokenSequence]) -> Tensor:
        chosen = [flat[position] for position in batch.positions]
        return functional.normalize(self._states.means(batch, chosen, model=run), dim=-1)

    def _by_role(self, lists: Sequence[TrainingList], inputs: _Inputs, vectors: Tensor) -> dict[str, Tensor]:
        """Vectors by role [n, d]; those of the frozen model where it makes them; residual added."""
        sizes = [len(inputs.sequences[role]) for role in self._roles]
        found = dict(zip(self._roles, torch.split(vectors, sizes), strict=True))
        if self._frozen:
            found |= self._frozen_vectors([item.query for item in lists], inputs.texts)
        if "listwise" in found:
            found["alone"] = found["listwise"]
            if self._residual is not None:
                found["listwise"] = self._residual(found["query"], found["listwise"])
        return found

    def _frozen_vectors(self, queries: Sequence[str], texts: Sequence[str]) -> dict[str, Tensor]:
        assert self._plain is not None
        rows = {
            "query": np.stack([self._frozen_queries[query] for query in queries]),
            "document": np.array(self._plain.encode(texts, "document").vectors),
        }
        return {role: torch.from_numpy(one).to(self._states.device) for role, one in rows.items()}

    def _losses(self, lists: Sequence[TrainingList], inputs: _Inputs, vectors: Tensor) -> dict[str, Tensor]:
        by_role = self._by_role(lists, inputs, vectors)
        terms: dict[str, Tensor] = {}
        total = vectors.new_zeros(())
        if self._info is not None:
            terms["info_nce"] = _contrast(by_role, lists, inputs.columns, self._info)
            total = total + self._info.weight * terms["info_nce"]
        if self._rank is not None:
            products = by_role[self._rank.vector] @ by_role["document"].T
            own = torch.cat([row[place] for row, place in zip(products, inputs.columns, strict=True)])
            scores, ranks = padded(own, lists)
            terms["ranknet"] = ranknet(scores, ranks, temperature=self._rank.temperature)
            total = total + self._rank.weight * terms["ranknet"]
        if self._pull:
            terms["pull"] = 1.0 - (by_role["alone"] * by_role["query"]).sum(1).mean()
            total = total + self._pull * terms["pull"]
        for name, weight, away in self._directions(by_role, lists, inputs):
            terms[name] = away
            total = total + weight * away
        if self._residual is not None and self._residual.logarithm.requires_grad:
            terms["residual"] = self._residual.logarithm.exp()
        return terms | {"loss": total}

    def _directions(
        self, by_role: dict[str, Tensor], lists: Sequence[TrainingList], inputs: _Inputs
    ) -> list[tuple[str, float, Tensor]]:
        """Name, weight and distance of each vector that the listwise one is drawn to."""
        found: list[tuple[str, float, Tensor]] = []
        settings, plain, documents = self._direction, by_role.get("query"), by_role["document"]
        if settings is None or plain is None:
            return found
        if settings.oracle:
            positives = [
                [own[place] for place in item.positives]
                for item, own in zip(lists, inputs.columns, strict=True)
            ]
            target = directions.oracle(plain, documents, positives)
            found.append(("oracle", settings.oracle, directions.distance(by_role["listwise"], target)))
        if settings.feedback:
            target = directions.feedback(plain, documents, inputs.listed, temperature=settings.temperature)
            found.append(("feedback", settings.feedback, directions.distance(by_role["listwise"], target)))
        return found


def _contrast(
    by_role: dict[str, Tensor],
    lists: Sequence[TrainingList],
    columns: Sequence[Sequence[int]],
    settings: InfoNCESettings,
) -> Tensor:
    """InfoNCE over the batch's distinct texts, one comparison for each positive.

    No text is a negative twice, and no positive of a list is a negative of it.
    """
    documents = by_role["document"]
    rows, targets, excluded = [], [], []
    for row, (item, own) in enumerate(zip(lists, columns, strict=True)):
        known = item.positives if settings.positive == "labelled" else (item.best,)
        out = torch.full((len(documents),), not settings.in_batch, device=documents.device)
        out[own] = False
        equals = [place for place, rank in enumerate(item.ranks) if rank == item.ranks[item.best]]
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
