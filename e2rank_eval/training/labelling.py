"""Labelling: a teacher ranks every query's slate, and is held to the documents known to be relevant."""

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
from e2rank_eval.training.slates import Slate, read_slates, write_slates
from e2rank_eval.training.teachers import Question, Teacher

_TOGETHER = 16
"""Slates ranked at once."""


@dataclass(slots=True)
class Labels:
    """What a teacher made of a file of slates.

    ``malformed`` counts the slates that were dropped because the teacher's output had to be repaired,
    by the kinds of repair; one slate may have several. ``right`` of ``known`` slates with known
    positives have one of them first (the paper's figure 5).
    """

    slates: list[Slate] = field(default_factory=list)
    dropped: int = 0
    malformed: dict[str, int] = field(default_factory=dict)
    known: int = 0
    right: int = 0

    def add(self, slate: Slate, order: Sequence[int]) -> None:
        """Keep ``slate`` in the teacher's ``order`` of its documents, best first."""
        ranks = [0] * len(order)
        for rank, place in enumerate(order, start=1):
            ranks[place] = rank
        self.slates.append(replace(slate, ranks=tuple(ranks)))
        if slate.labelled:
            self.known += 1
            self.right += order[0] in slate.labelled

    def drop(self, repairs: Iterable[str]) -> None:
        self.dropped += 1
        for kind in repairs:
            self.malformed[kind] = self.malformed.get(kind, 0) + 1

    def summary(self) -> dict[str, object]:
        accuracy = self.right / self.known if self.known else None
        return {
            "labelled": len(self.slates),
            "dropped": self.dropped,
            "malformed": dict(sorted(self.malformed.items())),
            "known_positives": self.known,
            "accuracy": accuracy,
        }


def label_with_reranker(slates: Sequence[Slate], teacher: Reranker) -> Labels:
    """The order that any reranker of the suite gives; an order that had to be repaired is dropped."""
    labels = Labels()
    for start in track(range(0, len(slates), _TOGETHER), description=f"labelling {_TOGETHER} slates at once"):
        group = slates[start : start + _TOGETHER]
        queries = [Query(str(number), slate.query) for number, slate in enumerate(group)]
        lists = [_candidates(str(number), slate) for number, slate in enumerate(group)]
        for slate, ranking in zip(group, teacher.rank_many(queries, lists), strict=True):
            _take(labels, slate, ranking)
    return labels


def _take(labels: Labels, slate: Slate, ranking: Ranking) -> None:
    if ranking.trace.repairs:
        labels.drop(ranking.trace.repairs)
    else:
        labels.add(slate, ranking.order)


def label_with_teacher(slates: Sequence[Slate], teacher: Teacher) -> Labels:
    """The order of a teacher's scores; ties keep first-stage order. Raises as the teacher does."""
    labels = Labels()
    questions = [Question(slate.query, slate.documents, slate.labelled) for slate in slates]
    for slate, scores in zip(slates, teacher.scores(questions), strict=True):
        labels.add(slate, np.argsort(-np.array(scores), kind="stable").tolist())
    return labels


def _candidates(query_id: str, slate: Slate) -> CandidateList:
    documents = (Document(str(place), text) for place, text in enumerate(slate.documents))
    return CandidateList(
        query_id, tuple(Candidate(one, -float(place)) for place, one in enumerate(documents))
    )


def write_labels(path: Path, labels: Labels) -> None:
    """The slates as JSONL, and beside them ``<name>.summary.json``.

    Raises
    ------
    InputError
        When every slate was dropped.
    """
    if not labels.slates:
        raise InputError("the teacher's output was malformed for every slate", hint="name another teacher")
    write_slates(path, labels.slates)
    write_json(path.with_name(f"{path.name}.summary.json"), labels.summary())


def read_unlabelled(path: Path) -> list[Slate]:
    """Slates to be labelled; where a line names no positives, the first of its ranking are."""
    return [replace(slate, labelled=slate.positives) for slate in read_slates(path)]
