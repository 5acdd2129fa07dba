"""Models of the registry as folders in the cache, and the record of what was fetched."""

from __future__ import annotations

from pathlib import Path

from e2rank_eval.datasets.sources.fetch import Fetched, fetch
from e2rank_eval.datasets.sources.kinds import TrainedSource
from e2rank_eval.models.registry import ModelEntry, registered_model
from e2rank_eval.store.files import write_json
from e2rank_eval.store.layout import MODEL, Layout


def fetch_model(name: str, cache: Path) -> Fetched:
    """The files of registry model ``name`` in ``cache/models/<name>/``; none of one that a server runs.

    Raises
    ------
    InputError
        When the registry has no such model.
    UnavailableError
        When no source could be used, naming each with its reason.
    """
    return fetch_entry(name, registered_model(name), cache)


def fetch_entry(name: str, entry: ModelEntry, cache: Path) -> Fetched:
    """As :func:`fetch_model`, of an entry that no registry need hold.

    The base model of weights that were trained is fetched first, beside them.
    """
    if entry.server is not None:
        served = f"{entry.server.model} served at {entry.server.base_url}"
        return Fetched(cache / "models" / name, source=served, revision=None, files={})
    for source in entry.sources:
        if isinstance(source, TrainedSource) and source.base is not None:
            fetch_model(source.base, cache)
    return fetch(name, entry.sources, cache / "models" / name, entry.files)


def write_model_record(layout: Layout, name: str, fetched: Fetched) -> None:
    """Write ``models/<name>.json``: what was fetched, with hashes; no time and no path in it."""
    entry = registered_model(name)
    write_json(
        layout.path(MODEL, model=name),
        {
            "name": name,
            "title": entry.title,
            "source": fetched.source,
            "revision": fetched.revision,
            "files": dict(fetched.files),
            "trained_for_e2rank": entry.trained_for_e2rank,
        },
    )
