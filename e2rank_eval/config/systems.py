"""Settings of the systems under test: first stages and reranker families."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from e2rank_eval.registry import Registry

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name that is also a file name: letters, digits, dot, underscore, hyphen."""


class Strict(BaseModel):
    """Refuses unknown keys and later changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def refuse_idle(settings: Strict, chooser: str, chosen: str, takers: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse an option that was given but that the choice made makes idle, for nobody would notice.

    ``takers`` names, for each such option, the values of ``chooser`` under which it decides something.

    Raises
    ------
    ValueError
        Naming the option and the choice.
    """
    for option, choices in takers.items():
        if option in settings.model_fields_set and chosen not in choices:
            raise ValueError(
                f"{option} has no meaning for {chooser} {chosen}; it goes with {', '.join(choices)}"
            )


FIRST_STAGES: Registry[Any] = Registry(
    "first stage", "e2rank_eval.retrieval.first_stages", "e2rank_eval.first_stages"
)
"""Builders by what a configuration names ``retriever``; e2rank_eval.retrieval.base has their type."""


class FirstStageSettings(Strict):
    """How candidates are retrieved."""

    retriever: str = Field(description="a module of retrieval/first_stages, such as bm25")
    model: Name | None = Field(None, description="registry model, dense and sparse only")
    of: list[Name] = Field([], description="fusion only: two or more other first stages of this file")
    lists: Name | None = Field(
        None, description="published only: whose lists of liuqi6777/retrieval_results, as bm25 or reasonir"
    )
    revision: str | None = Field(
        None, description="published only: commit to pin; null: recorded when fetched"
    )
    depth: int | None = Field(
        None, ge=1, le=10_000, description="candidates per query; the global depth when absent"
    )
    label: str | None = None
    k1: float = Field(0.9, ge=0, description="bm25 and rm3 only")
    b: float = Field(0.4, ge=0, le=1, description="bm25 and rm3 only")
    analyser: Literal["lucene", "simple"] = Field(
        "simple",
        description="bm25 and rm3 only: Lucene's EnglishAnalyzer token by token, or one near to it",
    )
    quantised_lengths: bool = Field(
        False, description="bm25 only: document lengths rounded to a byte, as Lucene's index keeps them"
    )
    feedback_documents: int = Field(
        10, ge=1, le=1000, description="rm3 only: first documents taken as relevant"
    )
    feedback_terms: int = Field(10, ge=1, le=1000, description="rm3 only: terms of the relevance model")
    original_weight: float = Field(0.5, ge=0, le=1, description="rm3 only: of the query as it was asked")

    @model_validator(mode="after")
    def _retriever_is_known(self) -> FirstStageSettings:
        if self.retriever not in FIRST_STAGES:
            raise ValueError(f"unknown retriever {self.retriever!r}; known: {', '.join(FIRST_STAGES)}")
        return self

    @model_validator(mode="after")
    def _model_iff_vectors(self) -> FirstStageSettings:
        if (self.retriever in ("dense", "sparse")) != (self.model is not None):
            raise ValueError("dense and sparse first stages need a model, and only they take it")
        return self

    @model_validator(mode="after")
    def _keys_of_its_retriever(self) -> FirstStageSettings:
        if (
            (self.retriever == "fusion") != bool(self.of)
            or len(self.of) != len(set(self.of))
            or len(self.of) == 1
        ):
            raise ValueError("a fusion needs two or more first stages in of, and only a fusion takes them")
        if (self.retriever == "published") != (self.lists is not None):
            raise ValueError("published candidates need lists (bm25, reasonir), and only they take it")
        if self.revision is not None and self.lists is None:
            raise ValueError("only published candidates take a revision")
        refuse_idle(self, "retriever", self.retriever, _RETRIEVER_OPTIONS)
        return self


_RETRIEVER_OPTIONS = {
    "k1": ("bm25", "rm3"),
    "b": ("bm25", "rm3"),
    "analyser": ("bm25", "rm3"),
    "quantised_lengths": ("bm25",),
    "feedback_documents": ("rm3",),
    "feedback_terms": ("rm3",),
    "original_weight": ("rm3",),
}


class RerankerBase(Strict):
    label: str | None = Field(None, description="how tables name it")
    on_error: Literal["fail", "keep-first-stage"] = "fail"

    _added: ClassVar[frozenset[str]] = frozenset()
    """Fields younger than results that are kept: at their default they decide nothing anew."""

    def deciding(self) -> dict[str, Any]:
        """What decides a ranking, for fingerprints: all but the label, what happens on errors, and
        fields added later that stand at their default, so that finished shards keep their key."""
        fields = type(self).model_fields
        idle = {name for name in self._added if getattr(self, name) == fields[name].default}
        return self.model_dump(mode="json", exclude={"label", "on_error"} | idle)


class IdentitySettings(RerankerBase):
    family: Literal["identity"]


class E2RankSettings(RerankerBase):
    """E2Rank: the listwise prompt embedded as one enriched query, cosine to every candidate."""

    _added: ClassVar[frozenset[str]] = frozenset({"step", "passes", "shuffle_seed"})

    family: Literal["e2rank"]
    model: Name
    prompt: Literal["eval", "readme", "training", "query-only"] = "eval"
    prompt_documents: int = Field(20, ge=1, le=1000, description="how many candidates stand in the prompt")
    prompt_order: Literal["first-stage", "reversed", "shuffled", "query-only"] = Field(
        "first-stage", description="of the documents in a prompt; query-only: by the plain query's cosine"
    )
    shuffle_seed: int | None = Field(None, ge=0, description="shuffled only; the global seed when absent")
    combination: Literal["pure", "residual"] = Field(
        "pure", description="listwise vector alone, or added to the query's"
    )
    weight: float = Field(1.0, gt=0, le=10, description="of the plain query vector, residual only")
    step: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="slide a window of prompt_documents up by so many; null: one prompt scores all",
    )
    passes: int = Field(1, ge=1, le=100, description="each further one begins with the order of the last")
    document_tokens: int | None = Field(None, ge=8, description="cut every document at so many tokens")

    @model_validator(mode="after")
    def _options_decide_something(self) -> E2RankSettings:
        refuse_idle(self, "prompt", self.prompt, dict.fromkeys(_OF_A_LISTWISE_PROMPT, _LISTWISE_PROMPTS))
        refuse_idle(self, "combination", self.combination, {"weight": ("residual",)})
        refuse_idle(self, "prompt_order", self.prompt_order, {"shuffle_seed": ("shuffled",)})
        if self.step is not None and self.prompt_documents < 2:
            raise ValueError("a window of prompt_documents 1 compares nothing; give 2 or more, or no step")
        if self.step is not None and self.step > self.prompt_documents:
            raise ValueError(
                f"step {self.step} exceeds the window of {self.prompt_documents} prompt_documents"
            )
        return self


_LISTWISE_PROMPTS = ("eval", "readme", "training")
_OF_A_LISTWISE_PROMPT = ("prompt_documents", "prompt_order", "combination", "weight", "step", "passes")


class FeedbackSettings(RerankerBase):
    """Feedback on vectors: unit(query + weight * unit(mean of the first documents)), or that mean alone."""

    _added: ClassVar[frozenset[str]] = frozenset({"method", "temperature", "decay"})

    family: Literal["feedback"]
    model: Name
    method: Literal["rocchio", "softmax", "average"] = Field(
        "rocchio",
        description="softmax: documents near the query weigh more; average: the mean without the query",
    )
    documents: int = Field(3, ge=1, le=1000)
    weight: float = Field(0.5, gt=0, le=100, description="of the documents' mean, where the query is added")
    temperature: float = Field(0.1, gt=0, description="softmax only: of the similarity to the query")
    decay: float = Field(
        0.0, ge=0, description="softmax only: taken off the logit for each rank further down"
    )
    document_tokens: int | None = Field(None, ge=8)

    @model_validator(mode="after")
    def _each_option_decides_something(self) -> FeedbackSettings:
        needed = {"weight": ("rocchio", "softmax"), "temperature": ("softmax",), "decay": ("softmax",)}
        refuse_idle(self, "method", self.method, needed)
        return self


class ListwiseSettings(RerankerBase):
    """An LLM says the order of windows of the candidates: RankGPT's sliding one unless told otherwise."""

    _added: ClassVar[frozenset[str]] = frozenset({"strategy", "decoding", "top", "budget"})

    family: Literal["listwise"]
    model: Name
    strategy: Literal["sliding-window", "full-list", "top-down", "tournament"] = Field(
        "sliding-window", description="which windows are ranked; top-down and tournament order the top only"
    )
    decoding: Literal["generate", "first-token"] = Field(
        "generate", description="the order as written, or by the logits of the answer's first token (FIRST)"
    )
    window: int = Field(20, ge=2, le=100, description="documents in one prompt; full-list takes them all")
    step: int = Field(10, ge=1, le=100, description="sliding-window only")
    top: int = Field(
        10, ge=1, le=100, description="top-down: rank of the pivot; tournament: how many are drawn"
    )
    budget: int | None = Field(
        None,
        ge=1,
        description="top-down: enough candidates above the pivot (20 in its paper); null: compare all",
    )
    document_tokens: int | None = Field(None, ge=8)

    @model_validator(mode="after")
    def _options_fit_the_strategy(self) -> ListwiseSettings:
        if self.strategy == "sliding-window" and self.step > self.window:
            raise ValueError(f"step {self.step} exceeds window {self.window}, which would skip documents")
        if self.strategy == "top-down" and self.top > self.window:
            raise ValueError(f"top {self.top} exceeds window {self.window}: no window has such a pivot")
        if self.budget is not None and self.budget < self.top:
            raise ValueError(f"budget {self.budget} is below top {self.top}")
        if self.decoding == "first-token" and self.window > 26:
            raise ValueError(f"window {self.window} exceeds the 26 letters that first-token decoding has")
        refuse_idle(self, "strategy", self.strategy, _STRATEGY_OPTIONS)
        return self


_STRATEGY_OPTIONS = {
    "window": ("sliding-window", "top-down", "tournament"),
    "step": ("sliding-window",),
    "top": ("top-down", "tournament"),
    "budget": ("top-down",),
}


class PairwiseSettings(RerankerBase):
    """Pairwise LLM: which of two neighbours is the better one, asked in both orders, in sliding passes."""

    family: Literal["pairwise-llm"]
    model: Name
    passes: int = Field(10, ge=1, le=1000, description="each carries one document to the top")
    document_tokens: int | None = Field(None, ge=8)


class CrossEncoderSettings(RerankerBase):
    family: Literal["cross-encoder"]
    model: Name
    document_tokens: int | None = Field(None, ge=8)


class PointwiseSettings(RerankerBase):
    """Pointwise LLM: logit of yes minus logit of no, or the likelihood of the query."""

    _added: ClassVar[frozenset[str]] = frozenset({"prompt", "instruction"})

    family: Literal["pointwise-llm"]
    model: Name
    prompt: Literal["yes-no", "qwen3-reranker", "query-likelihood"] = Field(
        "yes-no", description="wordings: prompts/templates.yaml; query-likelihood scores the query's tokens"
    )
    instruction: str | None = Field(
        None, min_length=1, description="task named by qwen3-reranker; null: its web search one"
    )
    document_tokens: int | None = Field(None, ge=8)

    @model_validator(mode="after")
    def _instruction_is_shown(self) -> PointwiseSettings:
        if self.instruction is not None and self.prompt != "qwen3-reranker":
            raise ValueError(f"the prompt {self.prompt} shows no instruction")
        return self


class MonoT5Settings(RerankerBase):
    """monoT5: a T5 trained to say true or false of a query and one document."""

    family: Literal["monot5"]
    model: Name
    document_tokens: int | None = Field(None, ge=8)


class CustomSettings(RerankerBase):
    """A user's own family: ``factory`` is ``package.module:callable`` or an entry point's name."""

    family: Literal["custom"]
    factory: str
    options: dict[str, Any] = Field(default_factory=dict)


RerankerSettings = Annotated[
    IdentitySettings
    | E2RankSettings
    | FeedbackSettings
    | ListwiseSettings
    | PairwiseSettings
    | CrossEncoderSettings
    | PointwiseSettings
    | MonoT5Settings
    | CustomSettings,
    Field(discriminator="family"),
]
