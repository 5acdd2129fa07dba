"""BEIR layout: corpus.jsonl, queries.jsonl and qrels as TSV, plain or gzipped."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from e2rank_eval.datasets.loaders import LOADERS, Loaded
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset
from e2rank_eval.store.collections import read_corpus, read_exclusions, read_queries
from e2rank_eval.store.files import read_lines
from e2rank_eval.store.trec import Qrels, decode_id, read_qrels


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder in BEIR layout, and exclusions, an addition of this suite; None if missing."""

    corpus: Path
    queries: Path
    qrels: Path | None
    exclusions: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        found = (self.corpus, self.queries, self.qrels, self.exclusions)
        return tuple(path for path in found if path is not None)


def find(folder: Path, split: str, *, unjudged: bool = False) -> Folder:
    """Return the files of ``folder``, plain or gzipped; qrels/<split>.tsv takes precedence over qrels.tsv.

    With ``unjudged``, a folder may have no judgements at all.

    Raises
    ------
    InputError
        When one is missing; the message lists the existing splits.
    """
    if not folder.is_dir():
        raise InputError("no such folder", path=folder, hint="fix the data set's path in the configuration")
    splits = sorted(path.name.split(".")[0] for path in folder.glob("qrels/*.tsv*"))
    hint = f"splits here: {', '.join(splits)}" if splits else f"add qrels/{split}.tsv"
    names = (f"qrels/{split}.tsv", f"qrels/{split}.tsv.gz", "qrels.tsv", "qrels.tsv.gz")
    return Folder(
        corpus=_one(folder, ("corpus.jsonl", "corpus.jsonl.gz"), "add corpus.jsonl"),
        queries=_one(folder, ("queries.jsonl", "queries.jsonl.gz"), "add queries.jsonl"),
        qrels=None if unjudged and not any(folder.glob("qrels*")) else _one(folder, names, hint),
        exclusions=next((path for path in [folder / "exclusions.jsonl"] if path.exists()), None),
    )


def _one(folder: Path, names: tuple[str, ...], hint: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"none of {', '.join(names)}", path=folder, hint=hint)


def load(files: Folder, name: str, *, unjudged: bool = False) -> Loaded:
    """Load the data set; count queries without judgements, repeated documents and repeated judgements.

    Queries without judgements are kept with ``unjudged``, otherwise skipped. Judgements of documents that the
    corpus lacks are kept, as they count in the ideal ranking.

    Raises
    ------
    InputError
        Naming file and line: malformed lines, contradictory repeats, an unknown query in the qrels; or an
        empty corpus, no query, no judgement, no judged document in the corpus.
    """
    corpus = read_corpus(files.corpus)
    queries = read_queries(files.queries)
    judgements = read_qrels(files.qrels, decode=False) if files.qrels else Qrels()
    qrels = {
        _as_in(queries, query_id): {
            _as_in(corpus, document_id): grade for document_id, grade in grades.items()
        }
        for query_id, grades in judgements.items()
    }
    unknown = next((query_id for query_id in qrels if query_id not in queries), None)
    if unknown is not None and files.qrels is not None:
        raise InputError(
            f"query {unknown!r} is judged but not in {files.queries.name}", path=files.qrels,
            line=_line_of(unknown, files.qrels), hint="add the query or remove its judgements",
        )  # fmt: skip
    judged_ids = {document_id for grades in qrels.values() for document_id in grades}
    if judged_ids and files.qrels is not None and not any(one in corpus for one in judged_ids):
        raise InputError(
            f"no judged document, such as {min(judged_ids)!r}, is in {files.corpus.name}", path=files.qrels,
            hint="write the ids of the corpus",
        )  # fmt: skip
    exclusions = read_exclusions(files.exclusions, queries) if files.exclusions else {}
    judged = [query_id for query_id in queries if query_id in qrels]
    kept = list(queries) if unjudged else judged
    dataset = Dataset(
        id=name,
        corpus=corpus,
        queries={query_id: queries[query_id] for query_id in kept},
        qrels={query_id: qrels[query_id] for query_id in judged},
        exclusions={query_id: exclusions[query_id] for query_id in kept if query_id in exclusions},
    )
    repeated = {"repeated documents": corpus.repeated, "repeated judgements": judgements.repeated}
    skipped = {"queries without judgements": len(queries) - len(judged)}
    return dataset, skipped | {what: number for what, number in repeated.items() if number}


def _as_in(known: Collection[str], identifier: str) -> str:
    """Return the id, or its decoded form if only that is known, as in folders that this suite wrote."""
    decoded = decode_id(identifier)
    return decoded if identifier not in known and decoded in known else identifier


def _line_of(query_id: str, path: Path) -> int | None:
    for number, line in read_lines(path):
        if line.startswith((f"{query_id}\t", f"{query_id} ")):
            return number
    return None


LOADERS.add(
    "beir",
    lambda request: load(find(request.folder, request.options.get("split", "test")), request.name),
)
