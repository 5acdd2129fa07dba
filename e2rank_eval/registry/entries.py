"""The fields of registry entries, and the loader that merges the packaged files with a user's overlay."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from e2rank_eval.configuration import Name, Strict, line_of, load_mapping
from e2rank_eval.errors import InputError
from e2rank_eval.registry.source_kinds import (
    Download,
    GeneratedSource,
    HubSource,
    IrDatasetsSource,
    LocalSource,
    PackageSource,
    Sha256,
    Source,
    TrainedSource,
    UrlSource,
)

__all__ = [
    "AnseriniBM25",
    "BM25Setup",
    "DatasetEntry",
    "DatasetFields",
    "DatasetVariant",
    "Download",
    "GeneratedSource",
    "HubSource",
    "IrDatasetsSource",
    "LocalSource",
    "ModelEntry",
    "PackageSource",
    "Prices",
    "Server",
    "Sha256",
    "Source",
    "TrainedSource",
    "UrlSource",
    "dataset",
    "datasets",
    "model",
    "models",
    "prices_of",
]

Instruction = Annotated[str, Field(min_length=1)]


class BM25Setup(Strict):
    """How a published BM25 run was made, as far as its source tells."""

    analyser: Literal["lucene", "simple"]
    quantised_lengths: bool
    k1: float = 0.9
    b: float = 0.4
    formula: str | None = Field(None, description="what it computes, where that is not Lucene's BM25")


class AnseriniBM25(Strict):
    """nDCG@10 x 100 of Anserini's regressions, beir-v1.0.0-<data set>-flat and -multifield."""

    flat: float = Field(description="title and text in one field, as here")
    multifield: float = Field(description="title and text searched as two fields")


class DatasetFields(Strict):
    """What an entry says of a data set, and what a variant of it may say otherwise."""

    title: str
    description: str
    loader: str = Field(description="name in e2rank_eval.datasets.registered that reads the fetched files")
    sources: list[Source] = Field(
        min_length=1, description="tried in this order; each gives the whole data set"
    )
    additions: list[Source] = Field(
        [], description="of files that go beside those of sources; tried in order"
    )
    licence: str
    show_text: bool = Field(description="may its text be shown to others (site, reports)?")
    registration: str | None = Field(
        None, description="what to sign or ask for, and where; null: free to fetch"
    )
    documents: int | None = Field(None, description="expected number; null where it varies or none is known")
    queries: int | None = Field(None, description="expected number of judged queries")
    judgements: int | None = Field(None, description="expected number, of all grades")
    counts_source: str | None = Field(None, description="who states the expected numbers")
    options: dict[str, Any] = Field(
        {}, description="of the loader; those of a variant are added to the entry's"
    )
    instruction: Instruction | None = Field(None, description="task instruction of query-only embedding")
    instruction_source: str | None = None
    citation: str = ""
    published_bm25: float | None = Field(None, description="nDCG@10 x 100")
    published_bm25_source: str | None = None
    published_bm25_setup: BM25Setup | None = Field(None, description="null: its source does not tell")
    anserini_bm25: AnseriniBM25 | None = Field(
        None, description="castorini/anserini docs/regressions; null: no such regression"
    )


class DatasetVariant(Strict):
    """Another form of a data set, known as <id>-<variant>: the keys given here replace the entry's."""

    title: str
    description: str = ""
    loader: str = ""
    sources: list[Source] = Field([], min_length=1)
    additions: list[Source] = Field([])
    documents: int | None = None
    queries: int | None = None
    judgements: int | None = None
    counts_source: str | None = None
    options: dict[str, Any] = Field({})
    published_bm25: float | None = None
    published_bm25_source: str | None = None


class DatasetEntry(DatasetFields):
    variants: dict[Name, DatasetVariant] = Field({}, description="further forms by the suffix of their id")
    files_of: str | None = Field(
        None,
        description="folder of the fetched files, where entries of the same sources share it; null: its own",
    )


class Prices(Strict):
    """What a server charges, as its operator states it."""

    input: float = Field(ge=0, description="per million prompt tokens; cached ones are charged no less")
    output: float = Field(ge=0, description="per million generated tokens")
    currency: str = Field(min_length=1, description="as in USD")

    def of(self, prompt_tokens: float, output_tokens: float) -> float:
        """
        >>> Prices(input=2.0, output=8.0, currency="USD").of(1_000_000, 500_000)
        6.0
        """
        return (prompt_tokens * self.input + output_tokens * self.output) / 1e6


class Server(Strict):
    """Where a model of format openai-http is served, and how it is asked."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^/@]+(/.*)?$")] = Field(
        description="up to /v1; /chat/completions is added"
    )
    model: str = Field(min_length=1, description="its name there")
    key_variable: str | None = Field(None, description="environment variable with the key; null: no key")
    concurrency: int = Field(4, ge=1, le=256, description="requests under way at once")
    timeout: float = Field(300.0, gt=0, description="seconds that one attempt may take")
    attempts: int = Field(6, ge=1, le=20, description="how often a request is tried where failure may pass")
    bytes_per_token: float = Field(
        3.0, gt=0, description="to estimate lengths before they are sent; UTF-8 bytes"
    )
    output_limit: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="key of the limit of output; OpenAI's newer models take the second"
    )
    prices: Prices | None = Field(None, description="null: tables and traces state no price")
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
    engine: Literal["transformers", "vllm", "llama.cpp"] = Field(
        "transformers",
        description="what runs it; vllm: a decoder on a GPU, text and vectors; llama.cpp: text, from GGUF",
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


_KINDS: dict[str, type[Strict]] = {"datasets": DatasetEntry, "models": ModelEntry}


def datasets() -> dict[str, DatasetEntry]:
    """Data sets by id, in the file's order."""
    return _load("datasets")


def models() -> dict[str, ModelEntry]:
    """Models by name, in the file's order."""
    return _load("models")


def dataset(name: str) -> DatasetEntry:
    """One data set.

    Raises
    ------
    InputError
        When the registry has no such id; lists those it has.
    """
    entry: DatasetEntry = _one("datasets", name)
    return entry


def model(name: str) -> ModelEntry:
    """One model; raises as :func:`dataset` does."""
    entry: ModelEntry = _one("models", name)
    return entry


def prices_of(model_name: str | None) -> Prices | None:
    """What using a model is charged at; None where it runs here, or nobody has stated it."""
    server = model(model_name).server if model_name else None
    return server.prices if server else None


def _one(kind: str, name: str) -> Any:
    entries = _load(kind)
    if name not in entries:
        what = "data set" if kind == "datasets" else "model"
        near = get_close_matches(name, entries, n=3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(f"unknown {what} {name!r}", mend=f"{meant}see e2rank-eval list {kind}")
    return entries[name]


@cache
def _load(kind: str) -> dict[str, Any]:
    packaged = resources.files("e2rank_eval.registry") / f"{kind}.yaml"
    values = yaml.safe_load(packaged.read_text(encoding="utf-8"))
    origin: dict[str, str] = dict.fromkeys(values, f"registry/{kind}.yaml")
    trained = sorted(Path("models").glob("*/entry.yaml")) if kind == "models" else []
    for overlay in [*trained, Path("config") / f"{kind}.yaml"]:
        if overlay.exists():
            added = load_mapping(overlay)
            values |= added
            origin |= dict.fromkeys(added, str(overlay))
    return _checked(kind, values, origin)


def read_models(path: Path) -> dict[str, ModelEntry]:
    """The models of one file that is laid out as ``config/models.yaml``, such as a training run's.

    Raises
    ------
    InputError
        Naming file and line: no YAML mapping, or a wrong key.
    """
    values = load_mapping(path)
    return _checked("models", values, dict.fromkeys(values, str(path)))


def _checked(kind: str, values: dict[str, Any], origin: dict[str, str]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for name, value in values.items():
        try:
            entry = _KINDS[kind].model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"{name}.{key}: {first['msg']}", path=origin[name],
                line=line_of(origin[name], [name, *first["loc"]]), mend="mend this key",
            ) from error  # fmt: skip
        entries[name] = entry
        if isinstance(entry, DatasetEntry):
            entries |= {f"{name}-{suffix}": _variant(name, entry, suffix) for suffix in entry.variants}
    return entries


def _variant(name: str, entry: DatasetEntry, suffix: str) -> DatasetEntry:
    """The entry with what its variant gives; without sources of its own it uses the entry's fetched files."""
    variant = entry.variants[suffix]
    given = {key: getattr(variant, key) for key in variant.model_fields_set}
    files_of = None if "sources" in given else entry.files_of or name
    changed = given | {"options": entry.options | variant.options, "variants": {}, "files_of": files_of}
    return entry.model_copy(update=changed)
