"""Training lists of a judged collection: BM25's candidates and missing positives, ranked by a teacher."""

from __future__ import annotations

from pathlib import Path

from e2rank_eval.config import BlendSettings, read_docstring_settings
from e2rank_eval.datasets import beir_folder
from e2rank_eval.records import Dataset
from e2rank_eval.retrieval.bm25 import BM25
from e2rank_eval.retrieval.candidates import candidates
from e2rank_eval.training.docstrings import docstring_collection
from e2rank_eval.training.lists import TrainingList, dense_ranks
from e2rank_eval.training.teachers import Question, Teacher


def read_collection(source: Path, split: str) -> tuple[Dataset, BlendSettings | None]:
    """The collection of a folder in BEIR layout, or of a YAML file of pinned packages (DocstringSettings).

    With it the blended teacher that the YAML file names; None: one who knows the relevant documents.

    Raises
    ------
    InputError
        For a malformed folder or file, or a package of another version.
    UnavailableError
        When a package is not installed.
    """
    if source.is_dir():
        return beir_folder.load(beir_folder.find(source, split), source.resolve().name)[0], None
    settings = read_docstring_settings(source)
    return docstring_collection(settings), settings.teacher


def collection_lists(dataset: Dataset, teacher: Teacher, depth: int) -> list[TrainingList]:
    """One list for each query that has a relevant document: BM25's first ``depth``, then missing positives.

    Documents of grade 1 and above are labelled. Positives that BM25 did not find stand last, so a
    prompt of the first documents is what it is in use. Queries all of whose documents are relevant are
    left out: there is nothing to order.
    """
    questions = _questions(dataset, depth)
    return [
        TrainingList(
            one.query, one.documents, dense_ranks([-score for score in scores]), dataset.id, one.positives
        )
        for one, scores in zip(questions, teacher.scores(questions), strict=True)
    ]


def _questions(dataset: Dataset, depth: int) -> list[Question]:
    found = []
    lists = candidates(BM25(tuple(dataset.corpus.values())), dataset, depth)
    for query, own in zip(dataset.queries.values(), lists, strict=True):
        relevant = [i for i, grade in dataset.qrels[query.id].items() if grade > 0 and i in dataset.corpus]
        ids = list(dict.fromkeys([*own.document_ids, *relevant]))
        positives = tuple(place for place, i in enumerate(ids) if i in set(relevant))
        if positives and len(positives) < len(ids):
            texts = tuple(dataset.corpus[i].contents for i in ids)
            found.append(Question(query.text, texts, positives))
    return found
