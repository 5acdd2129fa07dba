"""The retrieve command: writes candidate lists of data sets, and encodes parts of a corpus ahead."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.models.provider import ModelProvider
from e2rank_eval.progress import track
from e2rank_eval.retrieval.base import Context, text_blocks
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, write_candidates
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.parts import Part, write_receipt

_PIECE = 512
"""Consecutive documents that one job encodes: the documents of a file in the vector cache."""


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
    find = Context(configuration, models, configuration.depth).finder(first_stage)
    for name in track(datasets, description=f"retrieving {first_stage}"):
        started = time.time()
        folder = layout.path(places.CORPUS, dataset=name).parent
        dataset = read_dataset(folder, name)
        lists, origin = find(dataset)
        output = layout.path(places.CANDIDATES, dataset=name, first_stage=first_stage)
        write_candidates(output, lists)
        write_manifest(
            output,
            command=f"e2rank-eval retrieve {first_stage} {name} --config {layout.root / places.CONFIG}",
            settings=_recorded(configuration, first_stage),
            inputs=[folder / name for name in ("corpus.jsonl.gz", "queries.jsonl", "exclusions.jsonl")],
            started=started,
            extra={
                "shortest_list": min(len(one) for one in lists),
                "queries_without_candidates": sum(not one.document_ids for one in lists),
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
    """Encode ``part`` of a corpus into the shared vector cache, and write a receipt.

    This is for dense first stages and fusions with dense ones; a later :func:`retrieve` reuses the vectors.

    Raises
    ------
    InputError
        When the first stage caches no vectors; also as :func:`retrieve`.
    """
    encoding = configuration.vector_models(first_stage)
    if not encoding:
        raise InputError(
            f"first stage {first_stage!r} caches no vectors", hint="retrieve without --part, in one job"
        )
    corpus = read_dataset(layout.path(places.CORPUS, dataset=dataset).parent, dataset).corpus
    done = {}
    for model in encoding:
        encoder = models.encoder(model)
        mine = (one for number, one in enumerate(corpus.values()) if part.has(number // _PIECE))
        vectors = (encoder.encode(texts, "document").vectors for texts in text_blocks(mine))
        done[encoder.document_fingerprint] = sum(map(len, vectors))
    names = {"dataset": dataset, "first_stage": first_stage}
    numbers = {"part": str(part.number), "parts": str(part.of)}
    write_receipt(layout.path(places.ENCODE_PART, **names, **numbers), part, {"documents": done})


def _recorded(configuration: Configuration, first_stage: str) -> dict[str, Any]:
    """Return the settings that decide the candidates, including those of fused first stages."""
    settings = configuration.first_stages[first_stage]
    recorded = settings.model_dump(mode="json", exclude={"label"})
    recorded["depth"] = configuration.depth_of(first_stage)
    if settings.fused:
        recorded["of"] = {name: _recorded(configuration, name) for name in settings.fused}
    return recorded
