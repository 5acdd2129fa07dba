"""The verb retrieve: candidate lists of data sets, written as files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from e2rank_eval.configuration import Configuration, FirstStageSettings
from e2rank_eval.model_loading import ModelProvider
from e2rank_eval.progress import track
from e2rank_eval.records import Document
from e2rank_eval.retrieval.base import Retriever
from e2rank_eval.retrieval.bm25 import BM25
from e2rank_eval.retrieval.candidates import candidates
from e2rank_eval.retrieval.dense import Dense
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, write_candidates
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest


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
    settings = configuration.first_stages[first_stage]
    depth = configuration.depth_of(first_stage)
    build = _builder(settings, models)
    for name in track(datasets, description=f"retrieving {first_stage}"):
        started = time.time()
        folder = layout.path(places.CORPUS, dataset=name).parent
        dataset = read_dataset(folder, name)
        lists = candidates(build(tuple(dataset.corpus.values())), dataset, depth)
        artefact = layout.path(places.CANDIDATES, dataset=name, first_stage=first_stage)
        write_candidates(artefact, lists)
        write_manifest(
            artefact,
            command=f"e2rank-eval retrieve {first_stage} {name} --config {layout.root / places.CONFIG}",
            settings=settings.model_dump(mode="json", exclude={"label"}) | {"depth": depth},
            inputs=_inputs(folder),
            started=started,
            extra={
                "shortest_list": min(len(one) for one in lists),
                "candidates_of_score_zero": sum(c.score == 0 for one in lists for c in one.candidates),
            },
        )


def _builder(
    settings: FirstStageSettings, models: ModelProvider
) -> Callable[[Sequence[Document]], Retriever]:
    if settings.retriever == "bm25":
        return lambda corpus: BM25(
            corpus,
            k1=settings.k1,
            b=settings.b,
            analyser=settings.analyser,
            quantised_lengths=settings.quantised_lengths,
        )
    encoder = models.encoder(str(settings.model))
    return lambda corpus: Dense(corpus, encoder)


def _inputs(folder: Path) -> list[Path]:
    return [folder / name for name in ("corpus.jsonl.gz", "queries.jsonl", "exclusions.jsonl")]
