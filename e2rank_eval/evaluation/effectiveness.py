"""Effectiveness of a run against relevance judgements, per query and on average, as in trec_eval."""

from __future__ import annotations

import math
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ir_measures
import numpy as np

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import RunKey
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.measures import parse_measures
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.store import layout as places
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import Metrics, QueryCounts, write_record
from e2rank_eval.store.statistics import read_statistics
from e2rank_eval.store.trec import Qrels, Run, read_qrels, read_run

DEFAULT_MEASURES = ("nDCG@10", "RR@10", "R@100", "Judged@10")


@dataclass(frozen=True, slots=True)
class Effectiveness:
    """``per_query[measure][query_id]`` for every query of the judgements, values from 0 to 1.

    ``ties`` counts the documents whose score another document of their query already has, in trec_eval's
    single precision.
    """

    per_query: dict[str, dict[str, float]]
    queries: QueryCounts
    ties: int

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each measure over all judged queries."""
        return {name: math.fsum(values.values()) / len(values) for name, values in self.per_query.items()}


def evaluate(
    run: Run, qrels: dict[str, dict[str, int]], measures: Sequence[str] = DEFAULT_MEASURES
) -> Effectiveness:
    """Evaluate ``run`` on every query of ``qrels`` with ir_measures, whose nDCG, AP, R and P are trec_eval's.

    For all measures, ties are broken as in trec_eval, by document id in descending order. A judged query
    that is missing from the run counts as 0.

    Raises
    ------
    InputError
        For an unknown measure, or one that cannot be computed on these judgements.
    """
    parsed = parse_measures(measures)
    ranked: dict[str, dict[str, float]] = {}
    ties = 0
    for query_id in qrels:
        if run.scores.get(query_id):
            ranked[query_id], tied = break_ties(run.scores[query_id])
            ties += tied
    # trec_eval's code does not terminate on a query whose grades are all negative.
    judged = {
        q: grades if max(grades.values()) >= 0 else dict.fromkeys(grades, 0) for q, grades in qrels.items()
    }
    values = {name: dict.fromkeys(qrels, 0.0) for name in parsed}
    try:
        for metric in ir_measures.iter_calc(list(parsed.values()), judged, ranked):
            values[str(metric.measure)][metric.query_id] = float(metric.value)
    except (ValueError, RuntimeError, TypeError, subprocess.CalledProcessError) as error:
        raise InputError(f"{', '.join(values)}: ir_measures cannot compute this here ({error})") from error
    return Effectiveness(
        per_query=values,
        queries=QueryCounts(
            qrels=len(qrels),
            run=len(run.scores),
            ignored=tuple(query_id for query_id in run.scores if query_id not in qrels),
            unanswered=tuple(query_id for query_id in qrels if query_id not in ranked),
            repeated=qrels.repeated if isinstance(qrels, Qrels) else 0,
        ),
        ties=ties,
    )


def break_ties(scores: dict[str, float]) -> tuple[dict[str, float], int]:
    """Return scores without ties that rank the documents as trec_eval does, and the number of ties.

    trec_eval stores scores in single precision and ranks tied documents by descending id.

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


def best_order(run: Run, qrels: Mapping[str, Mapping[str, int]]) -> Run:
    """Return the documents of each judged query by grade: the best possible reranking.

    Documents without a judgement count as grade 0.

    >>> best_order(Run({"q": {"a": 3.0, "b": 2.0, "c": 1.0}}), {"q": {"c": 2, "b": -1}}).scores
    {'q': {'c': 3.0, 'a': 2.0, 'b': 1.0}}
    """
    scores = {}
    for query_id, grades in qrels.items():
        listed = sorted(run.scores.get(query_id, ()), key=lambda d: (-max(0, grades.get(d, 0)), d))
        scores[query_id] = {document: float(len(listed) - n) for n, document in enumerate(listed)}
    return Run(scores)


def metrics_of(
    run: Run,
    qrels: dict[str, dict[str, int]],
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    names: RunKey = ("", "", ""),
    failed: Sequence[str] = (),
    seed: int,
) -> Metrics:
    """Evaluate ``run`` and the best order of its documents, and return the record to store.

    Intervals are bootstrap 95 % intervals over the queries, sorted by id. ``names`` are empty for a run from
    outside of a configuration. Raises as :func:`evaluate` does.
    """
    found, ceiling = (evaluate(one, qrels, measures) for one in (run, best_order(run, qrels)))
    dataset, first_stage, reranker = names
    return Metrics(
        dataset=dataset,
        first_stage=first_stage,
        reranker=reranker,
        measures=tuple(found.per_query),
        queries=found.queries,
        ties=found.ties,
        failed=tuple(failed),
        seed=seed,
        mean=found.mean,
        ceiling=ceiling.mean,
        interval={
            name: bootstrap_interval([[values[q] for q in sorted(values)]], seed=seed)
            for name, values in found.per_query.items()
        },
        per_query=found.per_query,
    )


def require_judged(
    run: Run, qrels: Mapping[str, object], judgements: Path | str, path: Path | None = None
) -> None:
    """Raise InputError if no query of the run, read from ``path``, is judged in ``judgements``."""
    if not run.scores.keys() & qrels.keys():
        raise InputError(
            f"none of its {len(run.scores)} queries is judged in {judgements}", path=path,
            hint="give the judgements that belong to this run",
        )  # fmt: skip


def evaluate_files(
    run_path: Path,
    qrels_path: Path,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    statistics: Path | None = None,
    names: RunKey = ("", "", ""),
    seed: int,
) -> Metrics:
    """Evaluate a run file; queries that kept their first-stage order, by ``statistics``, count as failed.

    Raises
    ------
    InputError
        For a malformed file, an unknown measure, or a run without a judged query.
    """
    parse_measures(measures)
    run, qrels = read_run(run_path), read_qrels(qrels_path)
    require_judged(run, qrels, qrels_path, run_path)
    rows = {} if statistics is None else read_statistics(statistics)
    failed = [query for query, row in rows.items() if row.get("kept_first_stage") is not None]
    return metrics_of(run, qrels, measures, names=names, failed=failed, seed=seed)


def write_metrics(
    configuration: Configuration, reranker: str, first_stage: str, datasets: Sequence[str], layout: Layout
) -> list[Metrics]:
    """Evaluate the stored runs of one reranker; write the metrics of each, with a manifest.

    Raises
    ------
    InputError
        When a file is missing or malformed, or no query of a run is judged.
    """
    written = []
    command = ["e2rank-eval", "evaluate", reranker, *datasets, "--first-stage", first_stage]
    for dataset in datasets:
        started = time.time()
        names = (dataset, first_stage, reranker)
        run, statistics, output = (
            layout.run_path(pattern, names) for pattern in (places.RUN, places.STATISTICS, places.METRICS)
        )
        qrels = layout.path(places.QRELS, dataset=dataset)
        metrics = evaluate_files(run, qrels, statistics=statistics, names=names, seed=configuration.seed)
        write_record(output, metrics)
        write_manifest(
            output,
            command=shlex.join([*command, "--config", str(layout.path(places.CONFIG))]),
            settings={"measures": list(metrics.measures), "seed": metrics.seed},
            inputs=[run, qrels, statistics],
            started=started,
        )
        written.append(metrics)
    return written
