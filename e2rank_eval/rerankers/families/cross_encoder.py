"""Cross-encoder reranking: a model trained to score (query, document) pairs, local or on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from e2rank_eval.config.systems import FAMILIES, ModelSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import dtype_key, load_library_model, missing_weights
from e2rank_eval.models.engines.http_client import HttpClient, token_count
from e2rank_eval.models.recognition import modules_of, transformer_folder
from e2rank_eval.models.registry import ModelEntry, ResolvedModel
from e2rank_eval.models.timing import phase
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.rerankers.pairs import Pair, TorchPairReranker
from e2rank_eval.rerankers.scores import LOGIT_STEP, order_by_score
from e2rank_eval.store.files import read_settings, sha256_json

_TEI_TEXTS = 32
"""Default maximum of texts in one request to text-embeddings-inference."""


class CrossEncoderSettings(ModelSettings):
    """A model trained to score (query, document) pairs, read together."""

    model_kinds = ("cross-encoder",)
    own_colour = "#b58900"

    family: Literal["cross-encoder"]

    def build(self, context: RerankContext) -> Reranker:
        """Load the model, or connect to its server; raises InputError as :func:`load_cross_encoder` does."""
        found = context.models.resolve(self.model, "cross-encoder")
        if found.entry.server is not None:
            return ServedReranker(found.entry, self)
        model = context.models.loaded(self.model, "cross-encoder", load_cross_encoder)
        return CrossEncoderReranker(model, self, file_hashes=found.files)


class CrossEncoderReranker(TorchPairReranker):
    """Any sentence-transformers cross-encoder with one score for each pair, or two as in monoBERT.

    Scores are logits without an activation, since a sigmoid saturates and makes the best ones tie. With two
    labels, irrelevant and relevant, the score is the difference of their logits. A causal model with a
    ``LogitScore`` module gets its default prompt and its chat template.
    """

    def __init__(self, model: Any, settings: CrossEncoderSettings, *, file_hashes: Mapping[str, str]) -> None:
        super().__init__(model, model.tokenizer, settings, window=int(model.max_seq_length))
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "window": self._window,
                "spare": self._spare,
                "step": LOGIT_STEP,
                "files": dict(file_hashes),
                **dtype_key(model),
            }
        )

    def _inputs(self, pairs: Sequence[Pair]) -> list[tuple[Pair, int]]:
        """Return each pair and the number of its tokens after the model's own truncation."""
        prompt = self._model.prompts.get(self._model.default_prompt_name)
        read = (self._model.preprocess([pair], prompt=prompt)["attention_mask"] for pair in pairs)
        return [(pair, int(mask.sum())) for pair, mask in zip(pairs, read, strict=True)]

    def _forward(self, inputs: list[Pair]) -> list[float]:
        import torch

        logits = self._model.predict(
            inputs, batch_size=len(inputs), activation_fn=torch.nn.Identity(), show_progress_bar=False
        )
        scores: list[float] = (logits if logits.ndim == 1 else logits[:, 1] - logits[:, 0]).tolist()
        return scores


def load_cross_encoder(found: ResolvedModel) -> Any:
    """Load a ``sentence_transformers.CrossEncoder``, on a GPU in its entry's dtype.

    The window of the entry can only lower that of the checkpoint.

    Raises
    ------
    InputError
        When it cannot be loaded, when weights are missing from the checkpoint (sentence-transformers gives
        a plain encoder a random head and only logs a warning), when it is a chat model, when its head has
        more than two scores, or when its chat template cannot render a query and a document.
    """
    from sentence_transformers import CrossEncoder

    folder, window = found.path, found.entry.window
    (architecture, *_) = read_settings(folder / "config.json").get("architectures") or [""]
    if architecture.endswith("ForCausalLM") and not modules_of(folder):  # it would run without a prompt
        raise InputError(
            "a chat model, not a cross-encoder", path=folder, hint="use the family pointwise-llm for it"
        )
    model = load_library_model(
        CrossEncoder, folder, found.entry.dtype, "cross-encoder", "name a cross-encoder"
    )
    model.max_seq_length = min(model.max_seq_length or window, window)
    if missing := missing_weights(type(model.model).__name__, transformer_folder(folder)):
        raise InputError(
            f"not a trained cross-encoder: {', '.join(missing)} would be newly initialised",
            path=folder,
            hint="name a model that was trained to score pairs",
        )
    if model.num_labels > 2:
        raise InputError(
            f"its head has {model.num_labels} scores instead of one or two",
            path=folder,
            hint="name a ranking model",
        )
    if model.config.pad_token_id is None:
        _name_padding(model, folder)
    try:
        model.preprocess([("a query", "a document")])
    except ValueError as error:
        raise InputError(
            f"its chat template cannot render a pair ({' '.join(str(error).split())})", path=folder,
            hint="add the chat_template.jinja that it was trained with",
        ) from error  # fmt: skip
    return model


def _name_padding(model: Any, folder: Path) -> None:
    """Set a padding token that no input contains; a causal model scores at the last token that is not it."""
    tokenizer, used = model.tokenizer, {None, *model.tokenizer("a", "b")["input_ids"]}
    special = sorted(number for number, one in tokenizer.added_tokens_decoder.items() if one.special)
    numbers = [tokenizer.pad_token_id, *(one for one in special if one < model.config.vocab_size)]
    free = [number for number in numbers if number not in used]
    if not free:
        raise InputError(
            "its tokenizer has no special token for padding", path=folder, hint="name a pad_token in it"
        )
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(free[0])
    if not modules_of(folder):  # a LogitScore module scores at the last position
        tokenizer.padding_side = "right"
    model.config.pad_token_id = free[0]


class ServedReranker(Reranker):
    """A cross-encoder on a server: one request for each query, or for each 32 documents with ``tei``.

    ``server.form`` is ``jina`` (vLLM, Jina, Cohere, Infinity, llama.cpp: documents, relevance_score) or
    ``tei`` (text-embeddings-inference: texts, score). Documents are cut to ``document_tokens``, estimated
    from ``server.bytes_per_token``; the server cuts or refuses texts that are still too long for its model.
    """

    def __init__(self, entry: ModelEntry, settings: ModelSettings) -> None:
        assert entry.server is not None
        self._server = entry.server
        self._client = HttpClient(entry.title, entry.server, "rerank")
        self._document_tokens = settings.document_tokens or entry.document_tokens
        self.fingerprint = sha256_json(
            {
                "server": self._client.deciding,
                "tokens": self._document_tokens,
                "settings": settings.deciding(),
                "step": LOGIT_STEP,
            }
        )

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries with concurrent requests.

        Raises
        ------
        InputError
            When the server refuses a request, or returns no finite score for a document.
        UnavailableError
            When the server cannot be reached or keeps failing.
        """
        texts = [
            [self._server.cut(d.contents, self._document_tokens) for d in one.documents] for one in candidates
        ]
        requests = [
            (query.text, block)
            for query, cut in zip(queries, texts, strict=True)
            for block in self._blocks(cut)
        ]
        bodies = [self._body(query, block) for query, block in requests]
        with phase("scoring"):
            answers = self._client.post(bodies, _results)
        waiting, rankings = iter(zip(requests, answers, strict=True)), []
        for one, cut in zip(candidates, texts, strict=True):
            own = list(islice(waiting, len(self._blocks(cut))))
            scores = [score for (_, block), (found, _) in own for score in _in_order(found, len(block))]
            order, rounded = order_by_score(scores, LOGIT_STEP)
            estimated = sum(len((query + text).encode()) for (query, block), _ in own for text in block)
            stats = QueryStats(
                calls=len(own),
                prompt_tokens=sum(used for _, (_, used) in own)
                or int(estimated / self._server.bytes_per_token),
                truncated_documents=sum(
                    text != document.contents for text, document in zip(cut, one.documents, strict=True)
                ),
                scores=rounded,
            )
            rankings.append(Ranking(one, order, stats))
        return rankings

    def _blocks(self, texts: list[str]) -> list[list[str]]:
        size = _TEI_TEXTS if self._server.form == "tei" else max(1, len(texts))
        return [texts[start : start + size] for start in range(0, len(texts), size)]

    def _body(self, query: str, texts: Sequence[str]) -> dict[str, Any]:
        if self._server.form == "tei":
            return {"query": query, "texts": list(texts), "raw_scores": True, "truncate": True}
        return {"query": query, "documents": list(texts), "top_n": len(texts), "return_documents": False}


def _results(answer: Any) -> tuple[dict[int, float], int]:
    """Return scores by position, and the number of prompt tokens; 0 where the server does not report it."""
    rows, usage = (answer, {}) if isinstance(answer, list) else (answer["results"], answer.get("usage") or {})
    scores = {int(row["index"]): float(_score(row)) for row in rows}
    if len(scores) < len(rows) or not np.isfinite(list(scores.values())).all():
        raise ValueError("a position with two scores, or one that is not finite")
    return scores, token_count(usage.get("prompt_tokens", usage.get("total_tokens", 0)))


def _score(row: Mapping[str, Any]) -> float:
    return float(row["relevance_score"] if "relevance_score" in row else row["score"])


def _in_order(scores: Mapping[int, float], number: int) -> list[float]:
    if scores.keys() != set(range(number)):
        problem = f"scores for {len(scores)} of {number} documents"
        raise InputError(problem, hint="name a server that scores every document, or another server.form")
    return [scores[position] for position in range(number)]


FAMILIES.add("cross-encoder", CrossEncoderSettings)
