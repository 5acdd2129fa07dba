"""The fetch command: a data set of a configuration is loaded, checked and written in the common layout."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration
from e2rank_eval.config.experiment import DatasetSettings
from e2rank_eval.datasets import slices
from e2rank_eval.datasets.checks import findings, statistics
from e2rank_eval.datasets.loading import Collection, load_folder, load_registered
from e2rank_eval.errors import InputError
from e2rank_eval.progress import say
from e2rank_eval.registry import nearest
from e2rank_eval.store.collections import read_dataset, write_dataset
from e2rank_eval.store.files import read_json, sha256_file, write_json
from e2rank_eval.store.layout import CORPUS, DATASET_MANIFEST, EXCLUSIONS, QRELS, QUERIES, Layout
from e2rank_eval.store.locks import exclusive
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import as_json


def fetch_dataset(name: str, configuration: Configuration, layout: Layout) -> None:
    """Write corpus, queries, qrels, exclusions and manifest.json of ``name`` to ``datasets/<name>/``.

    The five files hold neither time nor path, so that a second fetch writes the same bytes; time, paths and
    versions are in manifest.json.manifest.json. A slice is taken from the stored files of its data set, which
    is fetched first if necessary.

    Raises
    ------
    InputError
        For an unknown name, malformed files, or counts that differ from the registry's; nothing is written.
    UnavailableError
        When no source could be used.
    """
    if name not in configuration.datasets:
        hint = nearest(name, configuration.datasets)
        raise InputError(f"the configuration has no data set {name!r}", hint=hint)
    started = time.time()
    settings = configuration.datasets[name]
    parent = settings.slice_of
    if parent is not None and not layout.path(DATASET_MANIFEST, dataset=parent).exists():
        fetch_dataset(parent, configuration, layout)
    collection = _load(name, settings, configuration, layout)
    folder = layout.path(DATASET_MANIFEST, dataset=name).parent
    lock = configuration.cache / "locks" / f"{configuration.profile}+fetch+{name}.lock"
    with exclusive(lock, what=f"fetching {name}"):
        described = _write(folder, collection)
    for finding, number in (described["findings"] | described["left_out"]).items():
        if number:
            say(f"{name}: {number} {finding}")
    write_manifest(
        folder / Path(DATASET_MANIFEST).name,
        command=f"e2rank-eval fetch {name}",
        settings=settings.model_dump(mode="json") | {"seed": configuration.seed},
        inputs=collection.inputs,
        started=started,
    )
    say(
        f"{name}: {described['documents']} documents, {described['queries']} queries, "
        f"{described['judgements']} judgements ({described['id']})"
    )


def _load(name: str, settings: DatasetSettings, configuration: Configuration, layout: Layout) -> Collection:
    if settings.slice_of is not None and settings.queries is not None:
        return _load_slice(settings.slice_of, settings.queries, configuration.seed, layout)
    if settings.path is not None:
        return load_folder(name, settings.path, settings.split)
    identifier = configuration.registry_id(name) or name
    return load_registered(identifier, configuration.cache, seed=configuration.seed)


def _load_slice(parent: str, queries: int, seed: int, layout: Layout) -> Collection:
    described = read_json(layout.path(DATASET_MANIFEST, dataset=parent))
    stored = tuple(layout.path(pattern, dataset=parent) for pattern in (CORPUS, QUERIES, QRELS, EXCLUSIONS))
    whole = read_dataset(stored[0].parent, described["id"])
    return Collection(
        dataset=slices.cut(whole, queries, seed=seed),
        title=f"{described['title']}, {queries} of {len(whole.queries)} queries",
        licence=described["licence"],
        show_text=described["show_text"],
        source={
            "kind": "slice",
            "of": described["id"],
            "queries": queries,
            "seed": seed,
            "files": described["sha256"],
        },
        inputs=stored,
    )


def _write(folder: Path, collection: Collection) -> dict[str, Any]:
    """Write the files to a temporary folder first, so that ``folder`` mixes versions only during renames."""
    dataset = collection.dataset
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        write_dataset(part, dataset)
        described = {
            "id": dataset.id,
            "title": collection.title,
            "documents": len(dataset.corpus),
            "queries": len(dataset.queries),
            "judgements": sum(map(len, dataset.qrels.values())),
            "licence": collection.licence,
            "show_text": collection.show_text,
            "source": dict(collection.source),
            "left_out": dict(collection.skipped),
            "findings": findings(dataset),
            "statistics": as_json(statistics(dataset)),
            "sha256": {path.name: sha256_file(path) for path in sorted(part.iterdir())},
        }
        write_json(part / Path(DATASET_MANIFEST).name, described)
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(part.iterdir()):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return described
