"""Models of the registry as mteb.ModelMeta: the name and revision that their results are filed under."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mteb.models.model_meta import ModelMeta, ScoringFunction

from e2rank_eval.datasets.sources.fetch import Fetched
from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.store.files import sha256_json

_ORGANISATION = "e2rank-eval"
"""Under which models and rerankers go that no hub has."""

_PAPER = "https://arxiv.org/abs/2510.22733"
_TRAINING_CODE = "https://github.com/Alibaba-NLP/E2Rank"


def mteb_name(name: str, entry: ModelEntry) -> str:
    """The hub repository of a model, which is its name on mteb's leaderboard.

    >>> from e2rank_eval.models.registry import registered_model
    >>> mteb_name("e2rank-0.6b", registered_model("e2rank-0.6b"))
    'Alibaba-NLP/E2Rank-0.6B'
    """
    hub = _hub_source(entry)
    return hub.repository if hub is not None else f"{_ORGANISATION}/{name}"


def mteb_revision(entry: ModelEntry, fetched: Fetched) -> str:
    """The commit on the hub; of other sources their version, or the hash of what was fetched.

    Where the registry pins the model's files by hash, they are those of the commit that it names,
    whatever source they came from.
    """
    hub = _hub_source(entry)
    if hub is not None and hub.revision is not None and entry.files:
        return hub.revision
    return fetched.revision or sha256_json(dict(fetched.files))[:40]


def model_meta(
    name: str,
    entry: ModelEntry,
    *,
    revision: str | None,
    dimension: int | None = None,
    loader: Callable[..., Any] | None = None,
) -> ModelMeta:
    """What mteb files results under; fields that no source states are None."""
    by_authors = mteb_name(name, entry).startswith("Alibaba-NLP/E2Rank")
    hub = _hub_source(entry)
    return ModelMeta(
        loader=loader,
        name=mteb_name(name, entry),
        revision=revision,
        release_date=None,
        languages=["eng-Latn"],
        n_parameters=None,
        memory_usage_mb=None,
        max_tokens=entry.document_tokens,
        embed_dim=dimension,
        license="apache-2.0" if entry.licence == "Apache-2.0" else None,
        open_weights=True,
        public_training_code=_TRAINING_CODE if by_authors else None,
        public_training_data=None,
        framework=["PyTorch", "Transformers"],
        reference=_PAPER if by_authors else f"https://huggingface.co/{hub.repository}" if hub else None,
        similarity_fn_name=ScoringFunction.COSINE,
        use_instructions=entry.query_instruction is not None,
        training_datasets=None,
    )


def reranker_meta(name: str, fingerprint: str) -> ModelMeta:
    """A reranker of a configuration: filed under its name there, its fingerprint as revision."""
    return ModelMeta(
        loader=None,
        name=f"{_ORGANISATION}/{name}",
        revision=fingerprint[:40],
        release_date=None,
        languages=["eng-Latn"],
        n_parameters=None,
        memory_usage_mb=None,
        max_tokens=None,
        embed_dim=None,
        license=None,
        open_weights=None,
        public_training_code=None,
        public_training_data=None,
        framework=["PyTorch", "Transformers"],
        similarity_fn_name=None,
        use_instructions=None,
        training_datasets=None,
        model_type=["cross-encoder"],
    )


def _hub_source(entry: ModelEntry) -> HubSource | None:
    return next((source for source in entry.sources if isinstance(source, HubSource)), None)
