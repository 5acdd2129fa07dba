"""Settings of the systems under test: first stages, and what every reranker family has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from e2rank_eval.config.references import Reference
from e2rank_eval.errors import InputError
from e2rank_eval.registry import Registry

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name that is also a file name: letters, digits, dot, underscore, hyphen."""


class Strict(BaseModel):
    """Refuses unknown keys and later changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def refuse_unused(settings: Strict, chooser: str, chosen: str, takers: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse an option that was given but that the choice made leaves unused, for nobody would notice.

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
    model: Reference | None = Field(None, description="dense and sparse only")
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
        refuse_unused(self, "retriever", self.retriever, _RETRIEVER_OPTIONS)
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


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean tokens of a query and of a document, and where they are from.

    ``measured`` on the stored collection, ``stated`` by a source, or ``assumed`` without one.
    """

    query: float
    document: float
    origin: Literal["measured", "stated", "assumed"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """For one query: ``read`` in forward passes over whole inputs, ``generated`` one at a time."""

    read: float
    generated: float = 0.0


class RerankerSettings(Strict, ABC):
    """What the settings of every reranker family have, and what the suite asks of a family.

    A family is a subclass in a module of its own, which adds it to :data:`FAMILIES`. The first line of
    its docstring says what it does; ``colour`` is how figures draw it.
    """

    family: str
    label: str | None = Field(None, description="how tables name it")
    on_error: Literal["fail", "keep-first-stage"] = "fail"

    own_colour: ClassVar[str] = "#5c6570"
    """From the palette of Okabe and Ito, which the colour-blind can tell apart; here a neutral grey."""

    @property
    def colour(self) -> str:
        """How figures draw a reranker of these settings."""
        return self.own_colour

    @abstractmethod
    def build(self, context: Any) -> Any:
        """Return the reranker, its models loaded through ``context``.

        See :class:`e2rank_eval.rerankers.base.Reranker` and ``RerankContext``; heavy imports belong in here.
        """

    @abstractmethod
    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        """Return an estimate for one query of ``depth`` candidates, documents encoded online."""

    def deciding(self) -> dict[str, Any]:
        """Return what decides a ranking, for fingerprints: all but the label and what happens on errors."""
        return self.model_dump(mode="json", exclude={"label", "on_error"})


class ModelSettings(RerankerSettings):
    """Settings of a family that runs one model on documents cut to a number of tokens."""

    model: Reference
    document_tokens: int | None = Field(None, ge=8, description="cut every document at so many tokens")

    def cut(self, document: float) -> float:
        """Return how many tokens are read of a document of ``document`` tokens."""
        return min(document, self.document_tokens) if self.document_tokens else document


FAMILIES: Registry[type[RerankerSettings]] = Registry(
    "reranker family", "e2rank_eval.rerankers.families", "e2rank_eval.rerankers"
)
"""Settings by family: the suite's modules, and entry points of installed packages."""


class _OfItsFamily:
    """Validates a mapping with the settings that its ``family`` names."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_checked_by_family)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"oneOf": [handler(one.__pydantic_core_schema__) for one in FAMILIES.values()]}


def _checked_by_family(values: Any) -> RerankerSettings:
    if isinstance(values, RerankerSettings):
        return values
    if not isinstance(values, dict):
        raise ValueError("settings of a reranker are a mapping")
    try:
        settings = FAMILIES[values.get("family", "")]
    except InputError as error:
        missing = "family" not in values
        kind, problem = ("missing", "Field required") if missing else ("unknown_family", error.problem)
        hint = f"add it; known: {', '.join(sorted(FAMILIES))}" if missing else error.hint
        details = PydanticCustomError(kind, "{problem}", {"problem": problem, "hint": hint})
        raise ValidationError.from_exception_data(
            "family", [{"type": details, "loc": ("family",), "input": None}]
        ) from error
    return settings.model_validate(values)


AnyReranker = Annotated[RerankerSettings, _OfItsFamily()]
"""A field of a configuration that holds the settings of any registered family."""
