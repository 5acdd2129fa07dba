"""The evaluate verb: a run file and judgements in, one JSON object of metrics with its manifest out."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.effectiveness import DEFAULT_MEASURES, evaluate
from e2rank_eval.evaluation.measures import parse_measures
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_json
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.traces import read_traces
from e2rank_eval.store.trec import read_qrels, read_run

NAMES = ("dataset", "first_stage", "reranker")
"""What a stored run's place says of it."""


def evaluate_files(
    run_path: Path,
    qrels_path: Path,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    traces: Path | None = None,
    seed: int,
) -> dict[str, Any]:
    """The metrics of a run file as one JSON object; values from 0 to 1, unrounded.

    ``dataset``, ``first_stage`` and ``reranker`` are read off the path of a run that this suite
    stored, and None for any other. ``failed`` are the queries that, by ``traces``, kept their
    first-stage order. ``interval`` is the bootstrap 95 % interval of each mean over queries (taken
    in the order of their ids).

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
    rows = {} if traces is None else read_traces(traces)
    return {
        **run_names(run_path),
        "measures": list(found.per_query),
        "queries": {
            "qrels": len(qrels),
            "run": found.run_queries,
            "ignored": found.ignored,
            "unanswered": list(found.unanswered),
        },
        "ties": found.ties,
        "failed": [query_id for query_id, row in rows.items() if row.get("kept_first_stage") is not None],
        "seed": seed,
        "mean": found.mean,
        "interval": {
            name: list(bootstrap_interval([[values[q] for q in sorted(values)]], seed=seed))
            for name, values in found.per_query.items()
        },
        "per_query": found.per_query,
    }


def run_names(path: Path) -> dict[str, str | None]:
    """Data set, first stage and reranker of a run in this suite's layout; None each for any other.

    >>> run_names(Path("results/demo/runs/lee/bm25/e2rank.run"))
    {'dataset': 'lee', 'first_stage': 'bm25', 'reranker': 'e2rank'}
    """
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(places.RUN))
    match = re.search(rf"(?:^|/){pattern}$", path.as_posix())
    return {name: match[name] if match else None for name in NAMES}


def write_metrics(
    path: Path, metrics: Mapping[str, Any], *, inputs: Sequence[Path], started: float | None = None
) -> None:
    """Write the object of :func:`evaluate_files` and its manifest.

    ``inputs`` are the run, the judgements and, where given, the traces, in this order; ``started``
    is the ``time.time()`` at which the verb began.
    """
    write_json(path, metrics)
    command = ["e2rank-eval", "evaluate", *map(str, inputs[:2])]
    for trace in inputs[2:]:
        command += ["--trace", str(trace)]
    for measure in metrics["measures"]:
        command += ["--measure", measure]
    command += ["--seed", str(metrics["seed"]), "--output", str(path)]
    write_manifest(
        path,
        command=shlex.join(command),
        settings={"measures": metrics["measures"], "seed": metrics["seed"]},
        inputs=inputs,
        started=time.time() if started is None else started,
    )
