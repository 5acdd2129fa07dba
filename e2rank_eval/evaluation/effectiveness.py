"""Effectiveness of a run against relevance judgements, per query and on average, as trec_eval has it."""

from __future__ import annotations

import math
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
import pytrec_eval

from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.measures import Measure, parse_measures
from e2rank_eval.store.trec import Qrels, Run

DEFAULT_MEASURES = ("nDCG@10", "RR@10", "R@100", "Judged@10")

Scores = dict[str, dict[str, float]]
"""``scores[query_id][document_id]``."""

Values = dict[str, dict[str, float]]
"""``values[measure][query_id]``."""


@dataclass(frozen=True, slots=True)
class Effectiveness:
    """``per_query[measure][query_id]`` for every query of the judgements, values from 0 to 1.

    ``unanswered`` are the judged queries for which the run ranks nothing: they count as 0.
    ``ignored`` counts the run's queries without judgements; ``ties`` the documents whose score
    equals another's of the same query in trec_eval's single precision.
    """

    per_query: Mapping[str, Mapping[str, float]]
    run_queries: int
    unanswered: tuple[str, ...]
    ignored: int
    ties: int

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each measure over all judged queries."""
        return {name: math.fsum(values.values()) / len(values) for name, values in self.per_query.items()}


def evaluate(run: Run, qrels: Qrels, measures: Sequence[str] = DEFAULT_MEASURES) -> Effectiveness:
    """Evaluate ``run`` on every query of ``qrels``.

    nDCG, AP, RR, R and P are trec_eval's own values (pytrec_eval-terrier); RR@k is trec_eval's
    recip_rank where the first relevant document stands at rank k or above, else 0; Judged@k is the
    share of the first k documents (or of all, where fewer) that are judged; any other measure is
    ir_measures'. Ties are broken as in trec_eval, by document id in descending order, for every
    measure alike. A judged query that the run lacks counts as 0.

    Raises
    ------
    InputError
        For an unknown measure, or one that cannot be computed on these judgements.
    """
    parsed = parse_measures(measures)
    ranked: Scores = {}
    ties = 0
    for query_id in qrels:
        if run.scores.get(query_id):
            ranked[query_id], tied = break_ties(run.scores[query_id])
            ties += tied
    # trec_eval's code never returns from a query without a grade of 0 or more, which counts 0 anyway.
    scorable = {q: grades for q, grades in qrels.items() if max(grades.values(), default=-1) >= 0}
    values = _trec_eval_values(ranked, scorable, parsed)
    values |= {m.name: _judged(ranked, qrels, m.cutoff) for m in parsed if m.parsed.NAME == "Judged"}
    values |= _other_values(ranked, scorable, [m for m in parsed if m.name not in values])
    return Effectiveness(
        per_query={m.name: {q: values[m.name].get(q, 0.0) for q in qrels} for m in parsed},
        run_queries=len(run.scores),
        unanswered=tuple(query_id for query_id in qrels if query_id not in ranked),
        ignored=sum(query_id not in qrels for query_id in run.scores),
        ties=ties,
    )


def break_ties(scores: dict[str, float]) -> tuple[dict[str, float], int]:
    """Scores in which no two documents tie, ranked as trec_eval ranks them; and how many tied.

    trec_eval holds scores in single precision and puts the greater document id first among equals.

    >>> break_ties({"a": 1.0, "b": 1.0, "c": 0.5})
    ({'b': 3.0, 'a': 2.0, 'c': 1.0}, 1)
    """
    with np.errstate(over="ignore"):
        single = np.fromiter(scores.values(), float, len(scores)).astype(np.float32).tolist()
    ties = len(single) - len(set(single))
    if ties == 0:
        return scores, 0
    order = sorted(zip(single, scores, strict=True), reverse=True)
    return {document: float(len(order) - rank) for rank, (_, document) in enumerate(order)}, ties


def _trec_eval_values(ranked: Scores, qrels: Qrels, measures: Sequence[Measure]) -> Values:
    by_level: dict[int, list[tuple[Measure, str]]] = defaultdict(list)
    for measure in measures:
        if measure.trec_eval is not None:
            by_level[measure.level].append((measure, measure.trec_eval))
    values: Values = {}
    for level, together in by_level.items():
        names = {name for _, name in together}
        rows = pytrec_eval.RelevanceEvaluator(qrels, names, relevance_level=level).evaluate(ranked)
        for measure, name in together:
            found = {query_id: row[name] for query_id, row in rows.items()}
            values[measure.name] = _cut(found, measure) if measure.parsed.NAME == "RR" else found
    return values


def _cut(reciprocal_ranks: Mapping[str, float], measure: Measure) -> dict[str, float]:
    """trec_eval's recip_rank knows no cut-off: a first relevant document below it counts as none."""
    cutoff = measure.cutoff or math.inf
    return {q: v if v > 0 and round(1 / v) <= cutoff else 0.0 for q, v in reciprocal_ranks.items()}


def _judged(ranked: Scores, qrels: Qrels, cutoff: int | None) -> dict[str, float]:
    values = {}
    for query_id, scores in ranked.items():
        top = sorted(scores, key=scores.__getitem__, reverse=True)[:cutoff]
        values[query_id] = sum(document in qrels[query_id] for document in top) / len(top)
    return values


def _other_values(ranked: Scores, qrels: Qrels, measures: Sequence[Measure]) -> Values:
    values: Values = {measure.name: {} for measure in measures}
    if not measures or not qrels:
        return values
    try:
        for metric in ir_measures.iter_calc([m.parsed for m in measures], qrels, ranked):
            values[str(metric.measure)][metric.query_id] = float(metric.value)
    except (ValueError, RuntimeError, TypeError, subprocess.CalledProcessError) as error:
        raise InputError(f"{', '.join(values)}: ir_measures cannot compute this here ({error})") from error
    return values
