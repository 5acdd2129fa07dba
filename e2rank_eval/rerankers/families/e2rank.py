"""E2Rank: the query is embedded together with its first candidates; all are ranked by cosine similarity."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from pydantic import Field, model_validator

from e2rank_eval.config.systems import FAMILIES, Lengths, ModelSettings, Tokens, refuse_unused
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.timing import phase
from e2rank_eval.records import ListwiseInput, Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.strategies import FullList, SlidingWindow, Strategy, run_together
from e2rank_eval.rerankers.vectors import (
    EncodedCandidates,
    Vector,
    VectorReranker,
    Work,
    order_by_product,
    unit,
)

_LISTWISE_PROMPTS = ("eval", "readme", "training")
_OF_A_LISTWISE_PROMPT = ("prompt_documents", "prompt_order", "combination", "weight", "step")


class E2RankSettings(ModelSettings):
    """E2Rank: one listwise prompt embedded as the query, cosine similarity to every candidate."""

    model_kinds = ("encoder", "decoder")
    own_colour = "#0072b2"

    family: Literal["e2rank"]
    prompt: Literal["eval", "readme", "training", "query-only"] = "eval"
    prompt_documents: int = Field(
        20, ge=0, le=1000, description="how many candidates are in the prompt; 0: the query alone"
    )
    prompt_order: Literal["first-stage", "reversed", "shuffled", "query-only"] = Field(
        "first-stage", description="of documents in a prompt; query-only: by cosine to the plain query"
    )
    shuffle_seed: int | None = Field(None, ge=0, description="shuffled only; the global seed when absent")
    combination: Literal["pure", "residual"] = Field(
        "pure", description="listwise vector alone, or added to the plain query vector"
    )
    weight: float = Field(1.0, gt=0, le=10, description="residual only: of the plain query vector")
    step: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="documents by which a window of prompt_documents slides up; null: one prompt scores all",
    )

    @model_validator(mode="after")
    def _no_unused_option(self) -> E2RankSettings:
        refuse_unused(self, "prompt", self.prompt, dict.fromkeys(_OF_A_LISTWISE_PROMPT, _LISTWISE_PROMPTS))
        refuse_unused(self, "combination", self.combination, {"weight": ("residual",)})
        refuse_unused(self, "prompt_order", self.prompt_order, {"shuffle_seed": ("shuffled",)})
        if self.step is not None and self.prompt_documents < 2:
            raise ValueError("a window of prompt_documents 1 compares nothing; give 2 or more, or no step")
        if self.step is not None and self.step > self.prompt_documents:
            raise ValueError(
                f"step {self.step} exceeds the window of {self.prompt_documents} prompt_documents"
            )
        return self

    def as_trained(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the given settings and the ``options``, but none without effect beside them."""
        given = super().as_trained(options)
        if self.prompt == "query-only":
            return given
        merged = {**options, **given}
        return {
            key: one
            for key, one in merged.items()
            if key != "weight" or merged.get("combination") == "residual"
        }

    @property
    def colour(self) -> str:
        """Grey for query-only, which has no listwise prompt."""
        return "#7f8790" if self.prompt == "query-only" else self.own_colour

    @property
    def strategy(self) -> Strategy:
        """Windows of candidates, each scored by one prompt's vector; without ``step``, the full list."""
        return FullList(least=1) if self.step is None else SlidingWindow(self.prompt_documents, self.step)

    def build(self, context: RerankContext) -> E2RankReranker:
        prompt = "eval" if self.prompt == "query-only" else self.prompt
        encoder = context.models.encoder(self.model, prompt=prompt, document_tokens=self.document_tokens)
        return E2RankReranker(encoder, self, seed=context.seed)

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        document = self.cut(lengths.document)
        listed = min(self.prompt_documents, depth) * self.strategy.calls(depth)
        if self.prompt == "query-only":
            listed = 0
        return Tokens((depth + listed) * document + lengths.query)


@dataclass(frozen=True, slots=True)
class _State:
    """One query with its candidates, its work so far and, if a setting needs it, its plain vector."""

    query: Query
    candidates: EncodedCandidates
    work: Work
    plain: Vector | None


_Window = tuple[_State, tuple[int, ...]]
"""A query, and the positions of its candidates that are to be ordered."""


class E2RankReranker(VectorReranker):
    """The paper's reranker (section 3.2), on any encoder that embeds a listwise prompt.

    One prompt lists the query and its first ``prompt_documents`` candidates. All candidates are scored by
    the dot product of their plain document vectors with the vector of this prompt, in one pass without a
    sliding window. ``prompt: query-only`` scores with the plain query vector instead;
    ``combination: residual`` with unit(weight * plain query vector + listwise vector).

    Beyond the paper: with ``step`` a window of ``prompt_documents`` slides up from the bottom, as in
    RankGPT, and each window is ordered by the vector of its own prompt. These scores are not comparable
    across windows, so they are not in the statistics.
    """

    def __init__(self, encoder: Encoder, settings: E2RankSettings, *, seed: int = 0) -> None:
        self._settings = settings
        self._seed = seed if settings.shuffle_seed is None else settings.shuffle_seed
        shuffled = settings.prompt_order == "shuffled"
        super().__init__(encoder, settings, seed=self._seed if shuffled else None)

    def _score(self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates]) -> list[Work]:
        settings, work = self._settings, [Work() for _ in queries]
        plain: Sequence[Vector] = ()
        if "query-only" in (settings.prompt, settings.prompt_order) or settings.combination == "residual":
            with phase("prompt"):
                plain = self._plain_vectors(queries, work)
        if settings.prompt == "query-only":
            with phase("scoring"):
                for one, vector, texts in zip(work, plain, candidates, strict=True):
                    one.rank(vector, texts.vectors)
            return work
        states = [_State(*four) for four in zip_longest(queries, candidates, work, plain)]
        orders = run_together(
            settings.strategy,
            [len(one.texts) for one in candidates],
            lambda windows: self._rank_windows([(states[i], window) for i, window in windows]),
        )
        for one, order in zip(work, orders, strict=True):
            one.order = order
        return work

    def _rank_windows(self, windows: Sequence[_Window]) -> list[list[int]]:
        """Return each window's positions, ordered by the vector of its prompt."""
        with phase("prompt"):
            vectors = self._listwise_vectors(windows)
        ranked = []
        with phase("scoring"):
            for (state, window), vector in zip(windows, vectors, strict=True):
                order, scores = order_by_product(vector, state.candidates.vectors[list(window)])
                if self._settings.step is None:  # the window is the whole list
                    state.work.scores = tuple(score for _, score in sorted(zip(window, scores, strict=True)))
                ranked.append([window[place] for place in order])
        return ranked

    def _listwise_vectors(self, windows: Sequence[_Window]) -> list[Vector]:
        """Return the embedding of each window's prompt, a unit vector [d]; counted in its query's work."""
        listed = [self._listed(state, window) for state, window in windows]
        texts = [
            tuple(state.candidates.texts[position] for position in positions)
            for (state, _), positions in zip(windows, listed, strict=True)
        ]
        encoded = self._encoder.encode_listwise(
            [ListwiseInput(state.query.text, one) for (state, _), one in zip(windows, texts, strict=True)]
        )
        vectors = []
        for number, ((state, _), positions) in enumerate(zip(windows, listed, strict=True)):
            work, vector = state.work, unit(encoded.vectors[number])
            work.prompt = encoded.prompts[number] if encoded.prompts and not work.listed else None
            work.calls += 1
            work.prompt_tokens += encoded.tokens[number]
            work.prompt_cut = max(work.prompt_cut, encoded.truncated[number])
            work.listed = tuple(dict.fromkeys((*work.listed, *positions)))
            if self._settings.combination == "residual" and state.plain is not None:
                vector = unit(self._settings.weight * state.plain + vector)
            vectors.append(vector)
        return vectors

    def _listed(self, state: _State, window: Sequence[int]) -> list[int]:
        """Return the first ``prompt_documents`` positions of ``window`` as the prompt lists them."""
        listed = list(window[: self._settings.prompt_documents])
        match self._settings.prompt_order:
            case "reversed":
                listed.reverse()
            case "shuffled":
                # Seeded with the query's id, so that a prompt does not depend on other queries of its batch.
                random.Random(f"{self._seed} {state.query.id}").shuffle(listed)
            case "query-only" if state.plain is not None:
                order, _ = order_by_product(state.plain, state.candidates.vectors[listed])
                listed = [listed[place] for place in order]
        return listed


FAMILIES.add("e2rank", E2RankSettings)
