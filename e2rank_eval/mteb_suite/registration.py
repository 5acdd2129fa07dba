"""The suite's models, rerankers and tasks under the names that mteb knows them by.

mteb has no call that registers a model: its registries are dictionaries, and user code adds to them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import mteb
from mteb.models.model_implementations import MODEL_REGISTRY
from mteb.models.model_meta import ModelMeta, ScoringFunction

from e2rank_eval.config.references import file_name
from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.models.registry import ModelEntry, ResolvedModel, complete, registered_models
from e2rank_eval.mteb_suite.tasks import register_tasks
from e2rank_eval.store.files import sha256_json

_ORGANISATION = "e2rank-eval"
"""The organisation of models and rerankers that no hub has."""

_AUTHORS = "Alibaba-NLP/E2Rank"


def mteb_name(name: str, entry: ModelEntry) -> str:
    """Return the hub repository of a model, which is its name on mteb's leaderboard.

    >>> from e2rank_eval.models.registry import registered_model
    >>> mteb_name("e2rank-0.6b", registered_model("e2rank-0.6b"))
    'Alibaba-NLP/E2Rank-0.6B'
    """
    hub = _hub_source(entry)
    return hub.repository if hub is not None else f"{_ORGANISATION}/{file_name(name)}"


def mteb_revision(model: ResolvedModel) -> str:
    """Return the commit on the hub; of other sources their version, or the hash of what was fetched.

    Where the registry pins the model's files by hash, they are those of the commit that it names,
    whatever source they came from.
    """
    hub = _hub_source(model.entry)
    if hub is not None and hub.revision is not None and model.entry.files:
        return hub.revision
    return model.revision or sha256_json(dict(model.files))[:40]


def model_meta(name: str, entry: ModelEntry, **known: Any) -> ModelMeta:
    """Return the metadata that mteb files results under, with ``known`` fields of it, such as ``revision``.

    Fields that no source states are None.
    """
    fields: dict[str, Any] = {
        "name": mteb_name(name, entry),
        "languages": ["eng-Latn"],
        "max_tokens": entry.document_tokens,
        "license": "apache-2.0" if entry.licence == "Apache-2.0" else None,
        "open_weights": True,
        "framework": ["PyTorch", "Transformers"],
        "similarity_fn_name": ScoringFunction.COSINE,
        "use_instructions": entry.query_instruction is not None,
    }
    if fields["name"].startswith(_AUTHORS):
        code, paper = "https://github.com/Alibaba-NLP/E2Rank", "https://arxiv.org/abs/2510.22733"
        fields |= {"public_training_code": code, "reference": paper}
    elif (hub := _hub_source(entry)) is not None:
        fields["reference"] = f"https://huggingface.co/{hub.repository}"
    # mteb has a word of its own for a revision that is not known.
    return ModelMeta.create_empty(fields | known).model_copy(update={"revision": known.get("revision")})


def reranker_meta(name: str, fingerprint: str) -> ModelMeta:
    """Return the metadata of a configuration's reranker, filed under its name there and its fingerprint."""
    return ModelMeta.create_empty(
        {
            "name": f"{_ORGANISATION}/{name}",
            "revision": fingerprint[:40],
            "languages": ["eng-Latn"],
            "framework": ["PyTorch", "Transformers"],
            "model_type": ["cross-encoder"],
        }
    )


def register(results: Path | str | None = None) -> None:
    """Register E2Rank's checkpoints, the local tasks and their benchmark ``local``.

    With ``results``, a profile's folder ``results/<profile>/mteb``, also the models and rerankers that have
    results there: mteb's tables skip those that it does not know. Call it before mteb makes its first
    table, for which it remembers the models.

    A model, task or benchmark that mteb itself has by the same name stays mteb's.
    """
    entries = {name: entry for name, one in registered_models().items() if (entry := complete(one))}
    for name, entry in entries.items():
        known_as = mteb_name(name, entry)
        if entry.kind == "decoder" and known_as.startswith(_AUTHORS):
            loader = partial(_load_for_mteb, registry_name=name)
            MODEL_REGISTRY.setdefault(known_as, model_meta(name, entry, loader=loader))
    register_tasks()
    if results is not None:
        for stored in mteb.ResultCache(results).load_results(include_remote=False).model_results:
            if stored.model_meta is not None:
                MODEL_REGISTRY.setdefault(stored.model_name, stored.model_meta)


def _load_for_mteb(
    model_name: str,  # noqa: ARG001 - mteb's own call
    revision: str | None,  # noqa: ARG001 - the registry's sources decide
    *,
    registry_name: str,
    cache: str = "cache",
    threads: int = 2,
    **kwargs: Any,  # noqa: ARG001
) -> Any:
    from e2rank_eval.mteb_suite.encoder import load_mteb_encoder

    return load_mteb_encoder(registry_name, Path(cache), threads=threads)


def _hub_source(entry: ModelEntry) -> HubSource | None:
    return next((source for source in entry.sources if isinstance(source, HubSource)), None)
