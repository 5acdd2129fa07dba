"""Settings of the systems under test: base classes and registries of first stages and reranker families."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
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
    """Settings that are immutable and refuse unknown keys, with the nearest known key as hint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_alone(cls, values: Any) -> Any:
        fields = cls.model_fields
        for key in values if isinstance(values, dict) else ():
            if key not in fields:
                near = get_close_matches(str(key), fields, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"remove it; known: {', '.join(fields)}"
                raise _refusal(key, "extra_forbidden", "unknown key", hint)
        return values


def _refusal(key: str, kind: str, problem: str, hint: str) -> ValidationError:
    """Return the validation error of one ``key`` of a mapping, with a hint."""
    details = PydanticCustomError(kind, "{problem}", {"problem": problem, "hint": hint})
    return ValidationError.from_exception_data(key, [{"type": details, "loc": (key,), "input": None}])


def alone(key: str, kind: Any, form: Any = str) -> BeforeValidator:
    """Accept a bare value of type ``form`` as shorthand for settings of ``kind`` with only ``key`` given."""
    return BeforeValidator(
        lambda given: {key: given} if isinstance(given, get_origin(form) or form) else given,
        json_schema_input_type=form | kind,
    )


def refuse_unused(settings: Strict, chooser: str, chosen: str, takers: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse an option that was given but has no effect, which would go unnoticed.

    ``takers`` maps an option to the values of ``chooser`` for which it has an effect; ``chosen`` is the value
    in ``settings``.

    Raises
    ------
    ValueError
        Naming the option and the choice.
    """
    for option, choices in takers.items():
        if option in settings.model_fields_set and chosen not in choices:
            raise ValueError(f"{option} has no meaning for {chooser} {chosen}, only for {', '.join(choices)}")


class FirstStageSettings(Strict, ABC):
    """Base class of the settings of a first stage.

    A first stage is a subclass in a module of its own, which adds it to :data:`FIRST_STAGES`. The first line
    of its docstring says what it does.
    """

    retriever: str
    depth: int | None = Field(
        None, ge=1, le=10_000, description="candidates per query; by default the configuration's depth"
    )
    label: str | None = Field(None, description="name in tables and figures")

    stores_vectors: ClassVar[bool] = False
    """Whether document vectors are kept in the shared cache, so that several jobs can encode a corpus."""

    searches: ClassVar[bool] = True
    """Whether it searches the corpus, which is meaningless where the corpus is a pool of candidates."""

    needs_hub: ClassVar[bool] = False
    """Whether the lists themselves are fetched from the model hub."""

    @property
    def fused(self) -> list[str]:
        """Names of other first stages of the configuration whose candidates it fuses."""
        return []

    def files(self, dataset: str) -> list[str]:  # noqa: ARG002
        """Return the user's files from which the candidates of a data set are read."""
        return []

    @abstractmethod
    def build(self, context: Any) -> Any:
        """Return the function that finds candidates; ``context`` loads its models.

        See ``Finder`` and ``Context`` in :mod:`e2rank_eval.retrieval.base`; heavy imports belong in here.
        """


FIRST_STAGES: Registry[type[FirstStageSettings]] = Registry(
    "first stage", "e2rank_eval.retrieval.first_stages", "e2rank_eval.first_stages"
)
"""Settings classes by ``retriever``, from the suite's modules and from entry points of installed packages."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean tokens of a query and of a document.

    ``origin``: measured on the stored collection, stated by a source, or assumed.
    """

    query: float
    document: float
    origin: Literal["measured", "stated", "assumed"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one query: ``read`` in forward passes over whole inputs, ``generated`` one at a time."""

    read: float
    generated: float = 0.0


class RerankerSettings(Strict, ABC):
    """Base class of the settings of a reranker family.

    A family is a subclass in a module of its own, which adds it to :data:`FAMILIES`. The first line of
    its docstring is shown as its description.
    """

    family: str
    label: str | None = Field(None, description="name in tables and figures")
    on_error: Literal["fail", "keep-first-stage"] = "fail"

    model_kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds of model for which this family is the default; see ``Kind`` of the model registry."""

    own_colour: ClassVar[str] = "#5c6570"
    """Colour in figures, from the colour-blind safe palette of Okabe and Ito; here a neutral grey."""

    @property
    def colour(self) -> str:
        """The colour of a reranker with these settings in figures."""
        return self.own_colour

    @abstractmethod
    def build(self, context: Any) -> Any:
        """Return the reranker; ``context`` loads its models.

        See :class:`e2rank_eval.rerankers.base.Reranker` and ``RerankContext``; heavy imports belong in here.
        """

    @abstractmethod
    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        """Return the estimated tokens of one query with ``depth`` candidates, documents encoded online."""

    def as_trained(self, options: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return the given settings, with the ``options`` of the model's training that apply besides."""
        return self.model_dump(exclude_unset=True)

    def deciding(self) -> dict[str, Any]:
        """Return the settings that determine a ranking, for fingerprints: not ``label`` and ``on_error``."""
        return self.model_dump(mode="json", exclude={"label", "on_error"})


class ModelSettings(RerankerSettings):
    """Settings of a family that runs one model on documents cut to a number of tokens."""

    model: Reference
    document_tokens: int | None = Field(None, ge=8, description="most tokens of a document; the rest is cut")

    def cut(self, document: float) -> float:
        """Return the length of a document of ``document`` tokens after the cut."""
        return min(document, self.document_tokens) if self.document_tokens else document

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        """Return the estimated tokens; here of a model that reads the query with each document by itself."""
        return Tokens(depth * (self.cut(lengths.document) + lengths.query))


FAMILIES: Registry[type[RerankerSettings]] = Registry(
    "reranker family", "e2rank_eval.rerankers.families", "e2rank_eval.rerankers"
)
"""Settings classes by family, from the suite's modules and from entry points of installed packages."""


@dataclass(frozen=True, slots=True)
class _Registered:
    """Validates a mapping with the settings class that its ``key`` names in ``registry``."""

    key: str
    registry: Registry[Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"oneOf": [handler(one.__pydantic_core_schema__) for one in self.registry.values()]}

    def _checked(self, values: Any) -> Any:
        if isinstance(values, Strict):
            return values
        if not isinstance(values, dict):
            raise ValueError(f"settings of a {self.registry.kind} are a mapping")
        try:
            settings = self.registry[str(values.get(self.key, ""))]
        except InputError as error:
            missing = self.key not in values
            kind, problem = ("missing", "Field required") if missing else ("unknown_name", error.problem)
            hint = f"add it; known: {', '.join(sorted(self.registry))}" if missing else str(error.hint)
            raise _refusal(self.key, kind, problem, hint) from error
        return settings.model_validate(values)


AnyFirstStage = Annotated[FirstStageSettings, _Registered("retriever", FIRST_STAGES)]
"""A field of a configuration that holds the settings of any registered first stage."""

AnyReranker = Annotated[RerankerSettings, _Registered("family", FAMILIES)]
"""A field of a configuration that holds the settings of any registered family."""
