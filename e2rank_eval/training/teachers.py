"""Labelling of training lists by a teacher (any reranker), with its accuracy and malformed outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from e2rank_eval.errors import InputError
from e2rank_eval.progress import track
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.store.files import write_json
from e2rank_eval.training.lists import TrainingList, read_lists, write_lists

_TOGETHER = 16
"""Lists that are ranked in one call."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The lists that a teacher ranked, and the repairs of each malformed ranking, whose list is dropped."""

    lists: list[TrainingList] = field(default_factory=list)
    malformed: list[Mapping[str, int]] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """Return the counts that are stored beside the lists.

        A dropped list may count under several kinds of repair. ``accuracy`` is the share of lists with
        labelled positives whose best document is one of them (the paper's figure 5).
        """
        right = [item.best in item.labelled for item in self.lists if item.labelled]
        kinds = Counter(kind for repairs in self.malformed for kind in repairs)
        return {
            "labelled": len(self.lists),
            "dropped": len(self.malformed),
            "malformed": dict(sorted(kinds.items())),
            "known_positives": len(right),
            "accuracy": sum(right) / len(right) if right else None,
        }


def label_with_reranker(lists: Sequence[TrainingList], teacher: Reranker) -> Labels:
    """Label ``lists`` with the order of any reranker; lists whose output had to be repaired are dropped."""
    labels = Labels()
    for start in track(range(0, len(lists), _TOGETHER), description=f"labelling {_TOGETHER} lists at once"):
        group = lists[start : start + _TOGETHER]
        queries = [Query(str(number), item.query) for number, item in enumerate(group)]
        given = [_candidates(str(number), item) for number, item in enumerate(group)]
        for item, ranking in zip(group, teacher.rank_candidates(queries, given), strict=True):
            if ranking.stats.repairs:
                labels.malformed.append(ranking.stats.repairs)
            else:
                ranks = tuple((np.argsort(ranking.order) + 1).tolist())
                labels.lists.append(replace(item, ranks=ranks))
    return labels


def _candidates(query_id: str, item: TrainingList) -> CandidateList:
    documents = (Document(str(place), text) for place, text in enumerate(item.documents))
    return CandidateList(
        query_id, tuple(Candidate(one, -float(place)) for place, one in enumerate(documents))
    )


def write_labels(path: Path, labels: Labels) -> None:
    """Write the lists as JSONL, and beside them ``<name>.summary.json``.

    Raises
    ------
    InputError
        When every list was dropped.
    """
    if not labels.lists:
        raise InputError("the teacher's output was malformed for every list", hint="name another teacher")
    write_lists(path, labels.lists)
    write_json(path.with_name(f"{path.name}.summary.json"), labels.summary())


def read_unlabelled(path: Path) -> list[TrainingList]:
    """Read lists to be labelled; without ``positives``, the best of its ranking are a line's positives."""
    return [replace(item, labelled=item.positives) for item in read_lists(path)]
