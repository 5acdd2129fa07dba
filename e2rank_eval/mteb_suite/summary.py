"""Means over tasks and over task types, and published scores of other models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from e2rank_eval.store.files import read_json
from e2rank_eval.store.results import MtebMeans, TaskMean

_PUBLISHED = Path(__file__).with_name("published.json")
"""embeddings-benchmark/results at f4cc6c8b, in the public domain (CC0-1.0)."""


def summarise(wanted: Mapping[str, str], scores: Mapping[str, float]) -> MtebMeans:
    """Return the means of ``scores`` (by task) over the tasks ``wanted`` (task -> type); others are ignored.

    The mean over types includes only complete types, those with a score for every task.

    >>> summarise({"STS13": "STS", "STS14": "STS", "SciFact": "Retrieval"}, {"STS13": 80.0}).by_type["STS"]
    TaskMean(value=80.0, scored=1, wanted=2)
    """
    types = {kind: [task for task in wanted if wanted[task] == kind] for kind in sorted(set(wanted.values()))}
    by_type = {kind: _mean(tasks, scores) for kind, tasks in types.items()}
    complete = {
        kind: mean.value for kind, mean in by_type.items() if mean.complete and mean.value is not None
    }
    return MtebMeans(
        tasks=_mean(list(wanted), scores),
        types=_mean(list(types), complete),
        by_type=by_type,
        missing=tuple(task for task in wanted if task not in scores),
    )


def _mean(names: Sequence[str], scores: Mapping[str, float]) -> TaskMean:
    found = [scores[name] for name in names if name in scores]
    value = sum(found) / len(found) if found else None
    return TaskMean(value=value, scored=len(found), wanted=len(names))


@dataclass(frozen=True, slots=True)
class MtebScores:
    """One revision of a published model: mteb's main score x 100 by task (mean over its subsets).

    ``revision`` is ``external`` or ``no_revision_available`` if the source has no commit; such a row is
    not merged with others of the same model, whose weights may differ.
    """

    model: str
    revision: str
    scores: Mapping[str, float]


@cache
def published_scores() -> tuple[MtebScores, ...]:
    """Return MTEB scores of other models on MTEB(eng, v1), MTEB(eng, v2) and BRIGHT."""
    return tuple(MtebScores(**row) for row in read_json(_PUBLISHED)["rows"])
