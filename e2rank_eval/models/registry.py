"""The model registry: fields of entries and servers, the entries by name, and published cosines."""

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
    """The prices of a server, as its operator states them."""

    input: float = Field(ge=0, description="per million prompt tokens; no discount for cached tokens")
    output: float = Field(ge=0, description="per million generated tokens")
    currency: str = Field(min_length=1, description="such as USD")

    def of(self, prompt_tokens: float, output_tokens: float) -> float:
        """Return the price of these numbers of tokens.

        >>> Prices(input=2.0, output=8.0, currency="USD").of(1_000_000, 500_000)
        6.0
        """
        return (prompt_tokens * self.input + output_tokens * self.output) / 1e6


class Server(Strict):
    """The server of a model of format openai-http, and how requests are sent to it."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^/@]+(/.*)?$")] = Field(
        description="up to /v1; the path of the endpoint is added"
    )
    path: str | None = Field(
        None, description="after base_url; null: chat/completions, embeddings or rerank, by kind"
    )
    model: str = Field(min_length=1, description="its name on the server")
    tokenizer: Reference | None = Field(
        None, description="hub id or folder; needed where a served decoder embeds E2Rank's prompt"
    )
    form: Literal["jina", "tei"] = Field(
        "jina", description="protocol of /rerank: jina (vLLM, Jina, Cohere, Infinity, llama.cpp) or tei"
    )
    key_variable: str | None = Field(None, description="environment variable with the key; null: no key")
    concurrency: int = Field(4, ge=1, le=256, description="concurrent requests")
    timeout: float = Field(300.0, gt=0, description="of one attempt, in seconds")
    attempts: int = Field(6, ge=1, le=20, description="attempts at a request that fails temporarily")
    bytes_per_token: float = Field(
        3.0, gt=0, description="UTF-8 bytes; for estimates of lengths before requests are sent"
    )
    output_limit: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="key of the output limit; OpenAI's newer models need the second"
    )
    prices: Prices | None = Field(None, description="null: no prices in tables and statistics")
    top_logprobs: int = Field(20, ge=1, description="likeliest tokens to request; OpenAI allows 20")
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
"""The kind of a model.

encoder: pools its states; decoder: causal, generates text or embeds with its last token; cross-encoder:
scores pairs; sparse-encoder: weights vocabulary entries with a masked language model's head;
late-interaction: a vector for each token; monot5: a T5 that generates true or false for a pair.
"""


class GivenEntry(Strict):
    """A model's entry in a registry file. Missing fields are derived from the model's files."""

    title: str | None = None
    kind: Kind | None = None
    format: Literal["sentence-transformers", "transformers", "gguf", "openai-http"] | None = None
    engine: str = Field(
        "transformers",
        description="a name in e2rank_eval.models.engines; vllm: for decoders on a GPU",
    )
    architecture: Literal["native"] | None = Field(
        None,
        description="native: run transformers' code for this model_type although the checkpoint has code of "
        "its own, which never runs and may compute something else",
    )
    parameters: str | None = None
    licence: str | None = None
    sources: list[Source] = Field([], description="empty: the hub id or folder that is the entry's name")
    server: Server | None = Field(None, description="only for format openai-http, in place of sources")
    files: dict[str, Sha256] = Field(
        {}, description="local name -> SHA-256, for every source; checked after every fetch"
    )
    trained_for_embedding: bool | None = Field(
        None, description="trained so that vectors of plain texts are comparable"
    )
    trained_for_e2rank: bool = Field(False, description="false: labelled as an untrained backbone in results")
    window: int | None = Field(
        None,
        description="longest input in tokens; late-interaction models, and sparse ones other than SPLADE, "
        "have their checkpoint's",
    )
    document_tokens: int | None = Field(
        None, description="limit on documents unless a configuration sets another"
    )
    query_tokens: int | None = None
    end_of_text: str | None = Field(None, description="token that ends document and query inputs (decoders)")
    query_instruction: str | None = Field(None, description="instruction of query-only inputs; null: none")
    prompts: dict[Literal["query", "document"], str] = Field(
        {},
        description="put before texts, spaces included; empty: the checkpoint's prompts (encoders)",
    )
    relevance_prompt: Literal["yes-no", "qwen3-reranker"] | None = Field(
        None, description="yes-or-no wording that it was trained with (decoders)"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    reranker: dict[str, Any] = Field(
        {}, description="options of family e2rank as it was trained, where a reranker gives no others"
    )
    plain_model: Reference | None = Field(
        None, description="other model that embeds documents and plain queries; encoders only"
    )

    @model_validator(mode="after")
    def _served_or_fetched(self) -> GivenEntry:
        if (self.format == "openai-http") != (self.server is not None):
            raise ValueError("format openai-http and server go together")
        if self.sources and self.server is not None:
            raise ValueError("give sources or a server, not both")
        if self.server is not None and "engine" in self.model_fields_set:
            raise ValueError("a served model has no engine here")
        if self.server is not None and self.plain_model is not None:
            raise ValueError("a served model embeds its documents itself; remove plain_model")
        return self

    @model_validator(mode="after")
    def _engine_fits(self) -> GivenEntry:
        fits = self.kind in (None, "decoder") and self.format in (None, "transformers")
        if self.engine == "vllm" and not fits:
            raise ValueError("engine vllm runs decoders of format transformers")
        return self


class ModelEntry(GivenEntry):
    """A complete entry: everything that must be known of a model before it runs."""

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
        """``parameters`` as a number: 22,700,000 for ``22.7M``.

        Raises
        ------
        InputError
            When ``parameters`` is not a number with an optional K, M or B.
        """
        match = re.fullmatch(r"([0-9.]+)([KMB]?)", self.parameters)
        if match is None:
            problem = f"{self.title}: parameters {self.parameters!r} is not a size"
            raise InputError(problem, hint="write 0.6B or 22.7M")
        return float(match[1]) * {"": 1, "K": 1e3, "M": 1e6, "B": 1e9}[match[2]]

    @property
    def needs_gpu(self) -> bool:
        """Whether a query with a hundred candidates takes minutes on a CPU: from 0.5B parameters on."""
        return self.server is None and self.parameter_count >= 5e8


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model with local files in ``path``; ``files`` maps their names relative to it to their SHA-256.

    ``reference`` is its registry name if it has one. ``revision`` is the commit on the hub or the version of
    a package. ``kinds`` are its possible kinds, ``entry.kind`` the first of them; ``evidence`` is as in
    :class:`~e2rank_eval.models.recognition.Recognised`.
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
    """Return the entries by name, in file order; a name may also be a hub id or a folder.

    Entries of trained models (``models/*/entry.yaml`` in the working folder), and then those of
    ``config/models.yaml``, add to those of the package or replace them.

    Raises
    ------
    InputError
        When one of these files is not a mapping of models.
    """
    trained = sorted(Path("models").glob("*/entry.yaml"))
    return read_entries(GivenEntry, [_PACKAGED, *trained, Path("config/models.yaml")])


def registered_model(name: str) -> ModelEntry:
    """Return the complete entry of one registered model.

    Raises
    ------
    InputError
        When the registry has no such name (the message suggests the nearest), or its entry is incomplete.
    """
    given = look_up(registered_models(), name, "model", "e2rank-eval list models")
    if (entry := complete(given)) is None:
        raise InputError(f"the entry of model {name!r} is incomplete", hint="fetch the model first")
    return entry


def complete(given: GivenEntry) -> ModelEntry | None:
    """Return the entry as a complete one, or None if a field must be derived from the model's files."""
    fields = given.model_dump(exclude_unset=True)
    return None if missing(fields) else ModelEntry.model_validate(fields)


def missing(fields: Mapping[str, Any]) -> list[str]:
    """Return the names of the required fields of an entry that ``fields`` lack."""
    return [n for n, one in ModelEntry.model_fields.items() if one.is_required() and fields.get(n) is None]


PLAIN = "query-only"
"""Name of the prompt that consists of the query alone."""


class Published(Strict):
    """Cosines published by a model's authors, ``cosines[prompt]`` [queries, documents], and their source."""

    source: str
    queries: list[str] = Field(min_length=1)
    documents: list[str] = Field(min_length=1)
    cosines: dict[str, list[list[float]]] = Field(min_length=1)
    tolerance: dict[str, float] = Field(description="largest difference accepted, by dtype of the weights")

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
