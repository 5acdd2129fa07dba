"""The registry of models: the fields of an entry and of its server, entries by name, published cosines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from e2rank_eval.config.reading import read_entries
from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import Strict
from e2rank_eval.datasets.sources.kinds import Sha256, Source
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.prompts import VARIANTS
from e2rank_eval.registry import look_up

_PACKAGED = Path(__file__).with_name("models.yaml")
_PUBLISHED = Path(__file__).with_name("published.yaml")


class Prices(Strict):
    """What a server charges, as its operator states it."""

    input: float = Field(ge=0, description="per million prompt tokens; cached ones are charged no less")
    output: float = Field(ge=0, description="per million generated tokens")
    currency: str = Field(min_length=1, description="as in USD")

    def of(self, prompt_tokens: float, output_tokens: float) -> float:
        """Return the price of so many tokens.

        >>> Prices(input=2.0, output=8.0, currency="USD").of(1_000_000, 500_000)
        6.0
        """
        return (prompt_tokens * self.input + output_tokens * self.output) / 1e6


class Server(Strict):
    """Where a model of format openai-http is served, and how it is asked."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^/@]+(/.*)?$")] = Field(
        description="up to /v1; the path of the protocol is added"
    )
    path: str | None = Field(
        None, description="after base_url; null: chat/completions, embeddings or rerank, as the kind needs"
    )
    model: str = Field(min_length=1, description="its name there")
    tokenizer: Reference | None = Field(
        None, description="of a decoder that embeds: hub id or folder, to write E2Rank's prompt with"
    )
    form: Literal["jina", "tei"] = Field(
        "jina", description="of /rerank: jina as vLLM, Jina, Cohere, Infinity and llama.cpp have it; or tei"
    )
    key_variable: str | None = Field(None, description="environment variable with the key; null: no key")
    concurrency: int = Field(4, ge=1, le=256, description="concurrent requests")
    timeout: float = Field(300.0, gt=0, description="seconds that one attempt may take")
    attempts: int = Field(6, ge=1, le=20, description="how often a request is tried that may pass later")
    bytes_per_token: float = Field(
        3.0, gt=0, description="to estimate lengths before they are sent; UTF-8 bytes"
    )
    output_limit: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="key of the limit of output; OpenAI's newer models take the second"
    )
    prices: Prices | None = Field(None, description="null: tables and statistics state no price")
    top_logprobs: int = Field(20, ge=1, description="likeliest tokens to ask for; OpenAI allows 20")
    extra: dict[str, Any] = Field(
        {}, description="added to every request, such as chat_template_kwargs: {enable_thinking: false}"
    )

    def estimate(self, text: str) -> int:
        """Return an estimate of the tokens of ``text``."""
        return int(-(-len(text.encode()) // self.bytes_per_token))

    def cut(self, text: str, tokens: int) -> str:
        """Return ``text`` cut after an estimated number of tokens, never within a character."""
        kept = max(0, int(tokens * self.bytes_per_token))
        encoded = text.encode()
        return text if len(encoded) <= kept else encoded[:kept].decode(errors="ignore")


Kind = Literal["encoder", "decoder", "cross-encoder", "sparse-encoder", "late-interaction", "monot5"]
"""What a model is.

encoder: its states are pooled; decoder: causal, generates text or embeds by its last token; cross-encoder:
scores pairs; sparse-encoder: weights of a vocabulary from a masked language model's head; late-interaction: a
vector for each token; monot5: says true or false of a pair.
"""


class GivenEntry(Strict):
    """What a registry file says of a model. What it leaves out is derived from the model's files."""

    title: str | None = None
    kind: Kind | None = None
    format: Literal["sentence-transformers", "transformers", "gguf", "openai-http"] | None = None
    engine: str = Field(
        "transformers",
        description="what runs it, by its name in e2rank_eval.models.engines; vllm: a decoder on a GPU",
    )
    architecture: Literal["native"] | None = Field(
        None,
        description="native: run transformers' own code of this model_type although the checkpoint has "
        "code of its own, which never runs and may compute something else",
    )
    parameters: str | None = None
    licence: str | None = None
    sources: list[Source] = Field([], description="none: the hub or folder that the entry is named after")
    server: Server | None = Field(None, description="of a model of format openai-http, which has no sources")
    files: dict[str, Sha256] = Field(
        {}, description="local name -> hash, whatever the source; checked after every fetch"
    )
    trained_for_embedding: bool | None = Field(
        None, description="its plain vectors of texts were trained to be compared"
    )
    trained_for_e2rank: bool = Field(
        False, description="an untrained backbone is labelled so wherever it appears"
    )
    window: int | None = Field(None, description="longest input in tokens")
    document_tokens: int | None = Field(
        None, description="documents are cut here unless a configuration says otherwise"
    )
    query_tokens: int | None = None
    end_of_text: str | None = Field(None, description="token that ends document and query inputs (decoders)")
    query_instruction: str | None = Field(None, description="instruction of query-only inputs; null: none")
    prompts: dict[Literal["query", "document"], str] = Field(
        {},
        description="put before texts, spaces included; without, the checkpoint's own (encoders)",
    )
    relevance_prompt: Literal["yes-no", "qwen3-reranker"] | None = Field(
        None, description="wording that it was trained to answer yes or no to (decoders)"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    plain_model: Reference | None = Field(
        None, description="model that embeds documents and plain queries, if not this one; encoders only"
    )

    @model_validator(mode="after")
    def _served_or_fetched(self) -> GivenEntry:
        if (self.format == "openai-http") != (self.server is not None):
            raise ValueError("format openai-http and server go together")
        if self.sources and self.server is not None:
            raise ValueError("give sources, or a server")
        if self.server is not None and "engine" in self.model_fields_set:
            raise ValueError("a served model has no engine here")
        return self


class ModelEntry(GivenEntry):
    """Everything that must be known of a model before it runs."""

    title: str
    kind: Kind
    format: Literal["sentence-transformers", "transformers", "gguf", "openai-http"]
    parameters: str
    licence: str
    trained_for_embedding: bool
    window: int
    document_tokens: int
    query_tokens: int

    @property
    def parameter_count(self) -> float:
        """The number that ``parameters`` states: 22,700,000 for ``22.7M``.

        Raises
        ------
        InputError
            When the entry states it otherwise.
        """
        match = re.fullmatch(r"([0-9.]+)([KMB]?)", self.parameters)
        if match is None:
            problem = f"{self.title}: parameters {self.parameters!r} is not a size"
            raise InputError(problem, hint="write 0.6B or 22.7M")
        return float(match[1]) * {"": 1, "K": 1e3, "M": 1e6, "B": 1e9}[match[2]]

    @property
    def needs_gpu(self) -> bool:
        """Whether it takes minutes for a query of a hundred candidates on a CPU."""
        return self.server is None and self.parameter_count >= 5e8

    @model_validator(mode="after")
    def _engine_fits(self) -> ModelEntry:
        if self.engine == "vllm" and (self.kind, self.format) != ("decoder", "transformers"):
            raise ValueError("engine vllm runs decoders of format transformers")
        return self


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model whose files are here, in ``path``; ``files`` maps names relative to it to their SHA-256.

    ``reference`` is its registry name where it has one. ``revision`` is the commit on the hub or the version
    of a package. ``kinds`` are what it may be, ``entry.kind`` the first of them; ``evidence`` has what said
    each field of ``entry``.
    """

    reference: str
    entry: ModelEntry
    path: Path
    files: Mapping[str, str]
    source: str
    revision: str | None
    kinds: tuple[str, ...]
    evidence: Mapping[str, str]


def registered_models() -> dict[str, GivenEntry]:
    """Return the entries by name, in the file's order; a name may be an id of the hub, or a folder.

    In the working folder, what was trained (``models/*/entry.yaml``) and then ``config/models.yaml`` add
    entries to those of the package, or replace them.

    Raises
    ------
    InputError
        When one of these files is not a mapping of models.
    """
    trained = sorted(Path("models").glob("*/entry.yaml"))
    return read_entries(GivenEntry, [_PACKAGED, *trained, Path("config/models.yaml")])


def registered_model(name: str) -> ModelEntry:
    """Return the entry of one model that leaves nothing to its files.

    Raises
    ------
    InputError
        When the registry has no such name (names the nearest), or its entry is not complete.
    """
    given = look_up(registered_models(), name, "model", "e2rank-eval list models")
    if (entry := complete(given)) is None:
        raise InputError(f"the entry of model {name!r} leaves fields to its files", hint="fetch it first")
    return entry


def complete(given: GivenEntry) -> ModelEntry | None:
    """Return the entry, or None where it leaves a field to the model's files."""
    fields = given.model_dump(exclude_unset=True)
    return None if missing(fields) else ModelEntry.model_validate(fields)


def missing(fields: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that an entry needs and ``fields`` lack."""
    return [n for n, one in ModelEntry.model_fields.items() if one.is_required() and fields.get(n) is None]


PLAIN = "query-only"
"""The prompt that is each query by itself."""


class Published(Strict):
    """What a model gave its authors: ``cosines[prompt]`` [queries, documents], and where that is printed."""

    source: str
    queries: list[str] = Field(min_length=1)
    documents: list[str] = Field(min_length=1)
    cosines: dict[str, list[list[float]]] = Field(min_length=1)
    tolerance: dict[str, float] = Field(description="largest difference, by the type that the weights run in")

    @model_validator(mode="after")
    def _is_complete(self) -> Published:
        for prompt, rows in self.cosines.items():
            if [len(row) for row in rows] != [len(self.documents)] * len(self.queries):
                raise ValueError(f"cosines.{prompt}: one row for each query, one number for each document")
            if prompt not in (PLAIN, *VARIANTS):
                raise ValueError(f"cosines.{prompt}: not a prompt; known: {', '.join((PLAIN, *VARIANTS))}")
        return self


def published_cosines() -> dict[str, Published]:
    """Return the cosines that the authors of models published for a few texts, by registry name."""
    return read_entries(Published, [_PUBLISHED])
