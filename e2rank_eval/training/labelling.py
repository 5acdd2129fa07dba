"""Labelling: a teacher ranks every query's list, and is held to the documents known to be relevant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from e2rank_eval.errors import InputError
from e2rank_eval.progress import track
from e2rank_eval.records import Candidate, CandidateList, Document, Query, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.store.files import write_json
from e2rank_eval.training.lists import TrainingList, read_lists, write_lists
from e2rank_eval.training.teachers import Question, Teacher

_TOGETHER = 16
"""Training lists ranked at once."""


@dataclass(slots=True)
class Labels:
    """What a teacher made of a file of lists.

    ``malformed`` counts the lists that were dropped because the teacher's output had to be repaired,
    by the kinds of repair; one list may have several. ``right`` of ``known`` lists with known
    positives have one of them first (the paper's figure 5).
    """

    lists: list[TrainingList] = field(default_factory=list)
    dropped: int = 0
    malformed: dict[str, int] = field(default_factory=dict)
    known: int = 0
    right: int = 0

    def add(self, item: TrainingList, order: Sequence[int]) -> None:
        """Keep ``list`` in the teacher's ``order`` of its documents, best first."""
        ranks = [0] * len(order)
        for rank, place in enumerate(order, start=1):
            ranks[place] = rank
        self.lists.append(replace(item, ranks=tuple(ranks)))
        if item.labelled:
            self.known += 1
            self.right += order[0] in item.labelled

    def drop(self, repairs: Iterable[str]) -> None:
        self.dropped += 1
        for kind in repairs:
            self.malformed[kind] = self.malformed.get(kind, 0) + 1

    def summary(self) -> dict[str, object]:
        accuracy = self.right / self.known if self.known else None
        return {
            "labelled": len(self.lists),
            "dropped": self.dropped,
            "malformed": dict(sorted(self.malformed.items())),
            "known_positives": self.known,
            "accuracy": accuracy,
        }


def label_with_reranker(lists: Sequence[TrainingList], teacher: Reranker) -> Labels:
    """The order that any reranker of the suite gives; an order that had to be repaired is dropped."""
    labels = Labels()
    for start in track(range(0, len(lists), _TOGETHER), description=f"labelling {_TOGETHER} lists at once"):
        group = lists[start : start + _TOGETHER]
        queries = [Query(str(number), item.query) for number, item in enumerate(group)]
        asked = [_candidates(str(number), item) for number, item in enumerate(group)]
        for item, ranking in zip(group, teacher.rank_many(queries, asked), strict=True):
            _take(labels, item, ranking)
    return labels


def _take(labels: Labels, item: TrainingList, ranking: Ranking) -> None:
    if ranking.trace.repairs:
        labels.drop(ranking.trace.repairs)
    else:
        labels.add(item, ranking.order)


def label_with_teacher(lists: Sequence[TrainingList], teacher: Teacher) -> Labels:
    """The order of a teacher's scores; ties keep first-stage order. Raises as the teacher does."""
    labels = Labels()
    questions = [Question(item.query, item.documents, item.labelled) for item in lists]
    for item, scores in zip(lists, teacher.scores(questions), strict=True):
        labels.add(item, np.argsort(-np.array(scores), kind="stable").tolist())
    return labels


def _candidates(query_id: str, item: TrainingList) -> CandidateList:
    documents = (Document(str(place), text) for place, text in enumerate(item.documents))
    return CandidateList(
        query_id, tuple(Candidate(one, -float(place)) for place, one in enumerate(documents))
    )


def write_labels(path: Path, labels: Labels) -> None:
    """The lists as JSONL, and beside them ``<name>.summary.json``.

    Raises
    ------
    InputError
        When every list was dropped.
    """
    if not labels.lists:
        raise InputError(
            "the teacher's output was malformed for every training list", hint="name another teacher"
        )
    write_lists(path, labels.lists)
    write_json(path.with_name(f"{path.name}.summary.json"), labels.summary())


def read_unlabelled(path: Path) -> list[TrainingList]:
    """Training lists to be labelled; where a line names no positives, the first of its ranking are."""
    return [replace(item, labelled=item.positives) for item in read_lists(path)]
