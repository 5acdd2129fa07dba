"""The registry of models: the fields of an entry and of its server, and entries by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from e2rank_eval.config import Name, Strict
from e2rank_eval.config.registry_files import entry_named, read_entries
from e2rank_eval.datasets.sources.kinds import Sha256, Source
from e2rank_eval.errors import InputError

_PACKAGED = Path(__file__).with_name("models.yaml")


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


class ModelEntry(Strict):
    title: str
    kind: Literal["encoder", "decoder", "cross-encoder", "sparse-encoder"] = Field(
        description="encoder: bidirectional, pooled; decoder: causal, last token; cross-encoder: pairs; "
        "sparse-encoder: weights of a vocabulary from a masked language model's head"
    )
    format: Literal["sentence-transformers", "transformers", "gguf", "openai-http"]
    engine: str = Field(
        "transformers",
        description="what runs it, by its name in e2rank_eval.models.engines; vllm: a decoder on a GPU, "
        "text and vectors; llama.cpp: text, from GGUF",
    )
    parameters: str
    licence: str
    sources: list[Source] = Field([], description="at least one, but for a served model, which has server")
    server: Server | None = Field(None, description="of a model of format openai-http")
    files: dict[str, Sha256] = Field(
        {}, description="local name -> hash, whatever the source; checked after every fetch"
    )
    trained_for_embedding: bool = Field(description="its plain vectors of texts were trained to be compared")
    trained_for_e2rank: bool = Field(description="an untrained backbone is labelled so wherever it appears")
    window: int = Field(description="longest input in tokens")
    document_tokens: int = Field(description="documents are cut here unless a configuration says otherwise")
    query_tokens: int
    end_of_text: str | None = Field(None, description="token that ends document and query inputs (decoders)")
    query_instruction: str | None = Field(None, description="instruction of query-only inputs; null: none")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    plain_model: Name | None = Field(
        None, description="model that embeds documents and plain queries, if not this one; encoders only"
    )

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
    def _served_or_fetched(self) -> ModelEntry:
        if (self.format == "openai-http") != (self.server is not None):
            raise ValueError("format openai-http and server go together")
        if bool(self.sources) == (self.server is not None):
            raise ValueError("give sources, or a server")
        return self

    @model_validator(mode="after")
    def _engine_fits(self) -> ModelEntry:
        formats = {"vllm": "transformers", "llama.cpp": "gguf"}
        needed = formats.get(self.engine, self.format)
        if self.format != needed or (self.engine in formats and self.kind != "decoder"):
            raise ValueError(f"engine {self.engine} runs decoders of format {needed}")
        if self.server is not None and "engine" in self.model_fields_set:
            raise ValueError("a served model has no engine here")
        return self


def registered_models() -> dict[str, ModelEntry]:
    """Return the models by name, in the file's order.

    In the working folder, what was trained (``models/*/entry.yaml``) and then ``config/models.yaml`` add
    entries to those of the package, or replace them.

    Raises
    ------
    InputError
        When one of these files is not a mapping of models.
    """
    trained = sorted(Path("models").glob("*/entry.yaml"))
    return read_entries(ModelEntry, [_PACKAGED, *trained, Path("config/models.yaml")])


def registered_model(name: str) -> ModelEntry:
    """Return one model.

    Raises
    ------
    InputError
        When the registry has no such name; names the nearest.
    """
    return entry_named(registered_models(), name, kind="model", command="e2rank-eval list models")


def read_models(path: Path) -> dict[str, ModelEntry]:
    """Return the models of one file that is laid out as ``config/models.yaml``, such as a training run's.

    Raises
    ------
    InputError
        Naming file and line: no such file, not a YAML mapping, or a wrong key.
    """
    return read_entries(ModelEntry, [path])


def prices_of(model_name: str | None) -> Prices | None:
    """Return what using a model is charged at; None where it runs here, or nobody has stated it."""
    server = registered_model(model_name).server if model_name else None
    return server.prices if server else None
