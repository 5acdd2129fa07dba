"""Settings of the systems under test: first stages and reranker families."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name that is also a file name: letters, digits, dot, underscore, hyphen."""


class Strict(BaseModel):
    """Refuses unknown keys and later changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FirstStageSettings(Strict):
    """How candidates are retrieved."""

    retriever: Literal["bm25", "dense"]
    model: Name | None = Field(None, description="registry model, dense only")
    depth: int | None = Field(
        None, ge=1, le=10_000, description="candidates per query; the global depth when absent"
    )
    label: str | None = None
    k1: float = Field(0.9, ge=0)
    b: float = Field(0.4, ge=0, le=1)

    @model_validator(mode="after")
    def _model_iff_dense(self) -> FirstStageSettings:
        if (self.retriever == "dense") != (self.model is not None):
            raise ValueError("a dense first stage needs a model, and only a dense one takes it")
        return self


class RerankerBase(Strict):
    label: str | None = Field(None, description="how tables name it")
    on_error: Literal["fail", "keep-first-stage"] = "fail"


class IdentitySettings(RerankerBase):
    family: Literal["identity"]


class E2RankSettings(RerankerBase):
    """E2Rank: the listwise prompt embedded as one enriched query, cosine to every candidate."""

    family: Literal["e2rank"]
    model: Name
    prompt: Literal["eval", "readme", "training", "query-only"] = "eval"
    prompt_documents: int = Field(20, ge=1, le=1000, description="how many candidates stand in the prompt")
    prompt_order: Literal["first-stage", "reversed", "shuffled"] = "first-stage"
    combination: Literal["pure", "residual"] = Field(
        "pure", description="listwise vector alone, or added to the query's"
    )
    weight: float = Field(1.0, gt=0, le=10, description="of the plain query vector, residual only")
    document_tokens: int | None = Field(None, ge=8, description="cut every document at so many tokens")


class FeedbackSettings(RerankerBase):
    """Rocchio on vectors: unit(query + weight * unit(mean of the first documents))."""

    family: Literal["feedback"]
    model: Name
    documents: int = Field(3, ge=1, le=1000)
    weight: float = Field(0.5, gt=0, le=100)
    document_tokens: int | None = Field(None, ge=8)


class ListwiseSettings(RerankerBase):
    """RankGPT-style: an LLM writes a permutation of a window that slides from the bottom up."""

    family: Literal["listwise"]
    model: Name
    window: int = Field(20, ge=2, le=100)
    step: int = Field(10, ge=1, le=100)
    document_tokens: int | None = Field(None, ge=8)

    @model_validator(mode="after")
    def _step_within_window(self) -> ListwiseSettings:
        if self.step > self.window:
            raise ValueError(f"step {self.step} exceeds window {self.window}, which would skip documents")
        return self


class CrossEncoderSettings(RerankerBase):
    family: Literal["cross-encoder"]
    model: Name
    document_tokens: int | None = Field(None, ge=8)


class PointwiseSettings(RerankerBase):
    """Pointwise LLM: logit of yes minus logit of no."""

    family: Literal["pointwise-llm"]
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
    | CrossEncoderSettings
    | PointwiseSettings
    | CustomSettings,
    Field(discriminator="family"),
]
