"""TREC Deep Learning passages: MS MARCO's collection.tsv, queries as TSV, judgements in TREC form."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from e2rank_eval.datasets.loaders import LOADERS, Loaded
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.corpus import StreamedCorpus
from e2rank_eval.store.files import read_lines
from e2rank_eval.store.trec import read_qrels

COLLECTION = "collection.tsv"
QUERIES = "queries-{year}.tsv.gz"
QRELS = "qrels-{year}.txt"


def load(folder: Path, name: str, *, year: int) -> Loaded:
    """Load one year's judged queries against the whole collection, and how many queries no one judged.

    The text is as distributed, faults of encoding included: so do Lucene and the paper see it.

    Raises
    ------
    InputError
        Naming file and line: a line without its tab, a repeated id; or a judged query without text.
    """
    corpus = StreamedCorpus(
        partial(_passages, folder / COLLECTION), folder / COLLECTION, hint="fetch it again"
    )
    queries_path = folder / QUERIES.format(year=year)
    queries = read_pairs(queries_path)
    qrels = read_qrels(folder / QRELS.format(year=year))
    missing = next((q for q in qrels if q not in queries), None)
    if missing is not None:
        raise InputError(
            f"query {missing!r} is judged but has no text", path=queries_path, hint="fetch it again"
        )
    judged = {i: Query(i, text) for i, text in queries.items() if i in qrels}
    dataset = Dataset(name, corpus, judged, {i: qrels[i] for i in judged})
    return dataset, {"queries without judgements": len(queries) - len(judged)}


def _passages(path: Path) -> Iterator[tuple[int, Document]]:
    return ((number, Document(identifier, text)) for number, identifier, text in _pairs(path))


def read_pairs(path: Path) -> dict[str, str]:
    """Return the texts by id of a file with one ``id TAB text`` a line, plain or gzipped.

    Raises
    ------
    InputError
        Naming file and line: no tab, an empty or repeated id; or an empty file.
    """
    pairs: dict[str, str] = {}
    for number, identifier, text in _pairs(path):
        if identifier in pairs:
            raise InputError(
                f"id {identifier!r} is used twice", path=path, line=number, hint="fetch it again"
            )
        pairs[identifier] = text
    if not pairs:
        raise InputError("the file is empty", path=path, hint="fetch it again")
    return pairs


def _pairs(path: Path) -> Iterator[tuple[int, str, str]]:
    for number, line in read_lines(path):
        identifier, tab, text = line.partition("\t")
        if not tab or not identifier:
            raise InputError("no id and tab at its start", path=path, line=number, hint="fetch it again")
        yield number, identifier, text


LOADERS.add("trec_dl", lambda request: load(request.folder, request.name, **request.options))
