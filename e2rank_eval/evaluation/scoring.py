"""Scores a run file against judgements, and writes the metrics with their manifest."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.effectiveness import DEFAULT_MEASURES, Effectiveness, evaluate
from e2rank_eval.evaluation.measures import parse_measures
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import Metrics, QueryCounts, write_record
from e2rank_eval.store.statistics import read_statistics
from e2rank_eval.store.trec import read_qrels, read_run


def evaluate_files(
    run_path: Path,
    qrels_path: Path,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    statistics: Path | None = None,
    names: tuple[str, str, str] = ("", "", ""),
    seed: int,
) -> Metrics:
    """Evaluate a run file; values from 0 to 1, unrounded.

    ``names`` are the run's data set, first stage and reranker. ``failed`` are the queries
    that, by ``statistics``, kept their first-stage order. ``interval`` is the bootstrap 95 % interval of
    each mean over queries (taken in the order of their ids).

    Raises
    ------
    InputError
        For a malformed file, an unknown measure, or a run none of whose queries is judged.
    """
    parse_measures(measures)
    run, qrels = read_run(run_path), read_qrels(qrels_path)
    if not run.scores.keys() & qrels.keys():
        raise InputError(
            f"none of its {len(run.scores)} queries is judged in {qrels_path}", path=run_path,
            hint="give the judgements that belong to this run",
        )  # fmt: skip
    found = evaluate(run, qrels, measures)
    rows = {} if statistics is None else read_statistics(statistics)
    failed = tuple(query for query, row in rows.items() if row.get("kept_first_stage") is not None)
    return metrics_record(found, names=names, failed=failed, seed=seed)


def metrics_record(
    found: Effectiveness, *, names: tuple[str, str, str], failed: Sequence[str] = (), seed: int
) -> Metrics:
    """Effectiveness as it is stored, with bootstrap intervals; ``names`` as in :func:`evaluate_files`."""
    dataset, first_stage, reranker = names
    return Metrics(
        dataset=dataset,
        first_stage=first_stage,
        reranker=reranker,
        measures=tuple(found.per_query),
        queries=QueryCounts(
            qrels=len(next(iter(found.per_query.values()))),
            run=found.run_queries,
            ignored=found.ignored,
            unanswered=found.unanswered,
        ),
        ties=found.ties,
        failed=tuple(failed),
        seed=seed,
        mean=found.mean,
        interval={
            name: bootstrap_interval([[values[q] for q in sorted(values)]], seed=seed)
            for name, values in found.per_query.items()
        },
        per_query={name: dict(values) for name, values in found.per_query.items()},
    )


def write_metrics(
    path: Path, metrics: Metrics, *, inputs: Sequence[Path], started: float | None = None
) -> None:
    """Write the metrics of a run and their manifest.

    ``inputs`` are the run, the judgements and, where given, the statistics, in this order; ``started``
    is the ``time.time()`` at which the command started.
    """
    write_record(path, metrics)
    command = ["e2rank-eval", "evaluate", *map(str, inputs[:2])]
    for statistics in inputs[2:]:
        command += ["--statistics", str(statistics)]
    for measure in metrics.measures:
        command += ["--measure", measure]
    names = {"dataset": metrics.dataset, "first-stage": metrics.first_stage, "reranker": metrics.reranker}
    for option, name in names.items():
        command += [f"--{option}", name] if name else []
    command += ["--seed", str(metrics.seed), "--output", str(path)]
    write_manifest(
        path,
        command=shlex.join(command),
        settings={"measures": list(metrics.measures), "seed": metrics.seed},
        inputs=inputs,
        started=time.time() if started is None else started,
    )
