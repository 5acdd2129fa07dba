"""The leaderboard as data: one entry per run, as rows for CSV and JSON and in mteb's result format."""

from __future__ import annotations

import csv
import io
import re
from importlib import metadata
from typing import Any

from e2rank_eval.report.collect import HEADLINE, Results, RunKey
from e2rank_eval.report.names import first_stage_label, is_untrained, label
from e2rank_eval.store.files import sha256_json
from e2rank_eval.store.results import Metrics

MTEB_NAMES = {"nDCG": "ndcg", "AP": "map", "RR": "mrr", "R": "recall", "P": "precision"}
"""mteb's names of measures (``ndcg_at_10``) by ir_measures' (``nDCG@10``); it has none for others."""

FACTS = (
    "dataset", "dataset_id", "first_stage", "first_stage_label", "depth", "reranker", "label", "family",
    "model", "untrained", "queries", "unanswered",
)  # fmt: skip
"""What an entry says of its run beside the measures, which differ from run to run."""


def entries(results: Results) -> list[dict[str, Any]]:
    """Runs by collection, best first; means and intervals x 100."""
    found = [_entry(results, key) for key in results.run_keys()]
    order = {name: position for position, name in enumerate(dict.fromkeys(one["dataset"] for one in found))}
    return sorted(found, key=lambda one: (order[one["dataset"]], -one["measures"][HEADLINE]["mean"]))


def _entry(results: Results, key: RunKey) -> dict[str, Any]:
    configuration, metrics = results.configuration, results.metrics(key)
    dataset, first_stage, reranker = key
    settings = configuration.rerankers[reranker]
    return {
        "dataset": dataset,
        "dataset_id": results.dataset(dataset).id,
        "first_stage": first_stage,
        "first_stage_label": first_stage_label(configuration, first_stage),
        "depth": configuration.depth_of(first_stage),
        "reranker": reranker,
        "label": label(configuration, reranker),
        "family": settings.family,
        "model": getattr(settings, "model", None),
        "untrained": is_untrained(configuration, reranker),
        "queries": metrics.queries.qrels,
        "unanswered": len(metrics.queries.unanswered),
        "measures": {name: _measure(metrics, name) for name in metrics.measures},
    }


def _measure(metrics: Metrics, name: str) -> dict[str, float]:
    low, high = metrics.interval[name]
    values = {"mean": metrics.mean[name], "low": low, "high": high}
    return {end: round(100 * value, 4) for end, value in values.items()}


def to_csv(rows: list[dict[str, Any]]) -> str:
    """One line per run; of each measure the mean and both ends of its interval."""
    measures = list(dict.fromkeys(name for row in rows for name in row["measures"]))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*FACTS, *(f"{name}{end}" for name in measures for end in ("", " low", " high"))])
    for row in rows:
        values = [row["measures"].get(name, {}) for name in measures]
        numbers = [value.get(end) for value in values for end in ("mean", "low", "high")]
        writer.writerow([*(row[name] for name in FACTS), *numbers])
    return buffer.getvalue()


def mteb_place(row: dict[str, Any], revision: str) -> str:
    """Below a folder of mteb results: ``<organisation>__<name>/<revision>/<task>.json``."""
    return f"e2rank-eval__{row['first_stage']}--{row['reranker']}/{revision}/{row['dataset']}.json"


def mteb_revision(results: Results, row: dict[str, Any]) -> str:
    """40 hex digits that change with the system's settings, as mteb keeps a model's revision."""
    systems = results.configuration
    parts = [systems.first_stages[row["first_stage"]], systems.rerankers[row["reranker"]]]
    return sha256_json([part.model_dump(mode="json", exclude={"label"}) for part in parts])[:40]


def mteb_result(row: dict[str, Any]) -> dict[str, Any]:
    """The run as mteb's ``TaskResult``: values from 0 to 1 under mteb's names, nDCG@10 as main score.

    The collections are English, so the language is mteb's ``eng-Latn``. The time of evaluation is
    left open: latency has files of its own.
    """
    scores = {
        mteb_name: round(value["mean"] / 100, 6)
        for name, value in row["measures"].items()
        if (mteb_name := _mteb_name(name))
    }
    return {
        "task_name": row["dataset_id"],
        "dataset_revision": row["dataset_id"],
        "mteb_version": metadata.version("mteb"),
        "evaluation_time": None,
        "kg_co2_emissions": None,
        "scores": {
            "test": [
                scores
                | {
                    "main_score": scores["ndcg_at_10"],
                    "hf_subset": "default",
                    "languages": ["eng-Latn"],
                }
            ]
        },
    }


def _mteb_name(measure: str) -> str | None:
    """
    >>> _mteb_name("R@100"), _mteb_name("Judged@10")
    ('recall_at_100', None)
    """
    match = re.fullmatch(r"(\w+)@(\d+)", measure)
    return f"{MTEB_NAMES[match[1]]}_at_{match[2]}" if match and match[1] in MTEB_NAMES else None
