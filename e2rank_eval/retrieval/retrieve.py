"""The verb retrieve: candidate lists of data sets, written as files."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration, FirstStageSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.loading import ModelProvider
from e2rank_eval.models.registry import registered_model
from e2rank_eval.progress import track
from e2rank_eval.records import CandidateIds, Dataset, Document
from e2rank_eval.retrieval.base import Retriever, texts_in_blocks
from e2rank_eval.retrieval.bm25 import BM25
from e2rank_eval.retrieval.candidates import candidates
from e2rank_eval.retrieval.dense import Dense
from e2rank_eval.retrieval.fusion import fuse
from e2rank_eval.retrieval.published import fetch_lists, read_lists
from e2rank_eval.retrieval.quantised_bm25 import QuantisedBM25
from e2rank_eval.retrieval.rm3 import RM3
from e2rank_eval.retrieval.sparse import Sparse
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, write_candidates
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.parts import Part, write_receipt

_PIECE = 512
"""Documents in a row that one job encodes, which fill a file of the cache of vectors."""

Found = tuple[list[CandidateIds], dict[str, Any]]
"""The lists of every query of a data set, and what the manifest says of where they are from."""

Finder = Callable[[Dataset], Found]


def retrieve(
    configuration: Configuration,
    first_stage: str,
    datasets: Sequence[str],
    layout: Layout,
    models: ModelProvider,
) -> None:
    """Write ``candidates/<dataset>/<first_stage>.jsonl``, with its manifest, for each data set.

    Raises
    ------
    InputError
        When a data set is missing or malformed, or the model cannot be used.
    """
    find = _finder(configuration, first_stage, models)
    for name in track(datasets, description=f"retrieving {first_stage}"):
        started = time.time()
        folder = layout.path(places.CORPUS, dataset=name).parent
        dataset = read_dataset(folder, name)
        lists, origin = find(dataset)
        artefact = layout.path(places.CANDIDATES, dataset=name, first_stage=first_stage)
        write_candidates(artefact, lists)
        write_manifest(
            artefact,
            command=f"e2rank-eval retrieve {first_stage} {name} --config {layout.root / places.CONFIG}",
            settings=_recorded(configuration, first_stage),
            inputs=_inputs(folder),
            started=started,
            extra={
                "shortest_list": min(len(one) for one in lists),
                "candidates_of_score_zero": sum(score == 0 for one in lists for score in one.scores),
            }
            | origin,
        )


def encode_part(
    configuration: Configuration,
    first_stage: str,
    dataset: str,
    layout: Layout,
    models: ModelProvider,
    part: Part,
) -> None:
    """Encode ``part`` of a corpus into the shared cache of vectors, and write a receipt.

    For a dense first stage, or a fusion with dense ones; a later :func:`retrieve` encodes nothing then.

    Raises
    ------
    InputError
        When the first stage encodes no corpus; and as :func:`retrieve` does.
    """
    settings = configuration.first_stages[first_stage]
    encoded = [one for one in (settings, *(configuration.first_stages[name] for name in settings.of))
               if one.retriever == "dense"]  # fmt: skip
    if not encoded:
        raise InputError(
            f"first stage {first_stage!r} keeps no vectors", hint="retrieve without --part, in one job"
        )
    corpus = read_dataset(layout.path(places.CORPUS, dataset=dataset).parent, dataset).corpus
    done = {}
    for model in sorted({str(one.model) for one in encoded}):
        encoder = models.encoder(model)
        mine = (document for n, document in enumerate(corpus.values()) if part.has(n // _PIECE))
        encoder_done = 0
        for texts in texts_in_blocks(mine):
            encoder.encode(texts, "document")
            encoder_done += len(texts)
        done[encoder.document_fingerprint] = encoder_done
    names = {"dataset": dataset, "first_stage": first_stage}
    numbers = {"part": str(part.number), "parts": str(part.of)}
    write_receipt(layout.path(places.ENCODE_PART, **names, **numbers), part, {"documents": done})


def _recorded(configuration: Configuration, first_stage: str) -> dict[str, Any]:
    """What decides the candidates, those that a fusion fuses included."""
    settings = configuration.first_stages[first_stage]
    recorded = settings.model_dump(mode="json", exclude={"label"})
    recorded["depth"] = configuration.depth_of(first_stage)
    if settings.of:
        recorded["of"] = {name: _recorded(configuration, name) for name in settings.of}
    return recorded


def _finder(configuration: Configuration, first_stage: str, models: ModelProvider) -> Finder:
    settings, depth = configuration.first_stages[first_stage], configuration.depth_of(first_stage)
    if settings.retriever == "published":
        return lambda dataset: _published(configuration, settings, dataset, depth)
    if settings.retriever == "fusion":
        parts = [_finder(configuration, name, models) for name in settings.of]
        return lambda dataset: _fused(parts, dataset, depth)
    if settings.retriever == "rm3":
        return lambda dataset: (candidates(_rm3(settings, dataset), dataset, depth), {})
    build = _builder(settings, models)
    return lambda dataset: (candidates(build(dataset.corpus.values()), dataset, depth), {})


def _published(
    configuration: Configuration, settings: FirstStageSettings, dataset: Dataset, depth: int
) -> Found:
    whole = configuration.registry_id(dataset.id) or dataset.id
    found = fetch_lists(str(settings.lists), whole, configuration.cache, revision=settings.revision)
    return read_lists(found.path, dataset, depth), {"revision": found.revision, "sha256": found.sha256}


def _fused(parts: Sequence[Finder], dataset: Dataset, depth: int) -> Found:
    """Each part's list is cut to that first stage's own depth, its exclusions gone, before it is fused."""
    found = [part(dataset) for part in parts]
    by_query = zip(*(lists for lists, _ in found), strict=True)
    return [fuse(lists, dataset.corpus, depth) for lists in by_query], {}


def _rm3(settings: FirstStageSettings, dataset: Dataset) -> RM3:
    return RM3(
        dataset,
        k1=settings.k1,
        b=settings.b,
        analyser=settings.analyser,
        documents=settings.feedback_documents,
        terms=settings.feedback_terms,
        original_weight=settings.original_weight,
    )


def _builder(
    settings: FirstStageSettings, models: ModelProvider
) -> Callable[[Collection[Document]], Retriever]:
    if settings.retriever == "bm25":
        bm25 = QuantisedBM25 if settings.quantised_lengths else BM25
        return lambda corpus: bm25(corpus, k1=settings.k1, b=settings.b, analyser=settings.analyser)
    if settings.retriever == "sparse":
        return _sparse_builder(str(settings.model), models)
    encoder = models.encoder(str(settings.model))
    return lambda corpus: Dense(corpus, encoder)


def _sparse_builder(model: str, models: ModelProvider) -> Callable[[Collection[Document]], Retriever]:
    # Imported here: torch takes seconds to load, and BM25 needs none of it.
    from e2rank_eval.retrieval.splade import Splade

    encoder = Splade(models.path(model), registered_model(model))
    return lambda corpus: Sparse(corpus, encoder)


def _inputs(folder: Path) -> list[Path]:
    return [folder / name for name in ("corpus.jsonl.gz", "queries.jsonl", "exclusions.jsonl")]
