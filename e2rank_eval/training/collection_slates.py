"""Slates of a judged collection: BM25's candidates, ranked by a teacher who knows the relevant documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from e2rank_eval.configuration import read_strictly
from e2rank_eval.datasets import beir_folder
from e2rank_eval.encoders.base import Encoder, Vectors
from e2rank_eval.records import Dataset
from e2rank_eval.retrieval.bm25 import BM25
from e2rank_eval.retrieval.candidates import candidates
from e2rank_eval.training.docstrings import DocstringSettings, docstring_collection
from e2rank_eval.training.slates import Slate, dense_ranks


def read_collection(source: Path, split: str) -> Dataset:
    """The collection of a folder in BEIR layout, or of a YAML file of pinned packages (DocstringSettings).

    Raises
    ------
    InputError
        For a malformed folder or file, or a package of another version.
    UnavailableError
        When a package is not installed.
    """
    if source.is_dir():
        return beir_folder.load(beir_folder.find(source, split), source.resolve().name)[0]
    return docstring_collection(read_strictly(DocstringSettings, source))


def collection_slates(dataset: Dataset, encoder: Encoder, depth: int) -> list[Slate]:
    """One slate for each query that has a relevant document: BM25's first ``depth``, then missing positives.

    The teacher ranks by the similarity to unit(q + unit(mean of the relevant documents' vectors)), of
    the vectors of ``encoder``. Documents of grade 1 and above are labelled. Positives that BM25 did
    not find stand last, so a prompt of the first documents is what it is in use.
    """
    lists = candidates(BM25(tuple(dataset.corpus.values())), dataset, depth)
    queries = encoder.encode([query.text for query in dataset.queries.values()], "query").vectors
    at = {i: row for row, i in enumerate(dataset.corpus)}
    vectors = encoder.encode([document.contents for document in dataset.corpus.values()], "document").vectors
    slates = []
    for query, found, vector in zip(dataset.queries.values(), lists, queries, strict=True):
        relevant = [i for i, grade in dataset.qrels[query.id].items() if grade > 0 and i in dataset.corpus]
        ids = list(dict.fromkeys([*found.document_ids, *relevant]))
        positives = [place for place, i in enumerate(ids) if i in set(relevant)]
        texts = tuple(dataset.corpus[i].contents for i in ids)
        if not positives or len(positives) == len(ids):
            continue
        documents = vectors[[at[i] for i in ids]]
        ranks = dense_ranks([-score for score in oracle_scores(vector, documents, positives)])
        slates.append(Slate(query.text, texts, ranks, dataset.id, tuple(positives)))
    return slates


def oracle_scores(query: Vectors, documents: Vectors, positives: Sequence[int]) -> list[float]:
    """Similarity of each row of ``documents`` [n, d] to unit(q + unit(mean of the positives)), 6 decimals."""
    mean = documents[list(positives)].astype(np.float64).mean(0)
    target = query.astype(np.float64) + mean / np.linalg.norm(mean)
    return [float(score) for score in np.round(documents @ (target / np.linalg.norm(target)), 6)]
