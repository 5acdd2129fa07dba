"""The leaderboard: every run by collection, best first, as a table, as CSV and in mteb's result format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from e2rank_eval.report.collect import Results
from e2rank_eval.report.names import (
    HEADLINE,
    RunKey,
    first_stage_label,
    is_untrained,
    label,
    run_page,
    system_cell,
)
from e2rank_eval.report.render import to_csv
from e2rank_eval.report.table import Cell, Column, Heading, Table, percent, ranked
from e2rank_eval.store.files import sha256_json

FOLDER = "downloads/leaderboard"

_MTEB_NAMES = {"nDCG": "ndcg", "AP": "map", "RR": "mrr", "R": "recall", "P": "precision"}
"""mteb's names of measures (``ndcg_at_10``) by ir_measures' (``nDCG@10``); it has none for others."""


def best_first(results: Results) -> list[RunKey]:
    """Return every run, by collection in the configuration's order, then by nDCG@10, descending."""
    order = {name: position for position, name in enumerate(results.datasets())}
    return sorted(results.run_keys(), key=lambda key: (order[key[0]], -results.metrics(key).mean[HEADLINE]))


def leaderboard_table(results: Results) -> Table:
    """Return every run with its score, its page and its file in mteb's format."""
    rows, groups = [], []
    for key in best_first(results):
        metrics = results.metrics(key)
        score = percent(metrics.mean[HEADLINE], metrics.interval[HEADLINE], link=run_page(key))
        stage = first_stage_label(results.configuration, key[1])
        file = Cell("mteb", link=f"{FOLDER}/mteb/{mteb_place(results, key)}")
        groups.append(key[0])
        rows.append(
            (key[0], system_cell(results.configuration, key[2]), stage, metrics.queries.qrels, score, file)
        )
    columns = (
        "data set", "system", "first stage", ("queries", "count"),
        Column(f"{HEADLINE} × 100", "score", ranked=True), "file",
    )  # fmt: skip
    note = "In brackets the bootstrap 95 % interval. Bold: best of the collection; underlined: second best."
    return ranked(Table.of("leaderboard", "Leaderboard", columns, rows, [note], groups))


def leaderboard_files(results: Results) -> Iterator[tuple[str, str]]:
    """Yield (place below the site's root, content): the CSV, then each run in mteb's format."""
    yield f"{FOLDER}/leaderboard.csv", leaderboard_csv(results)
    for key in results.run_keys():
        content = json.dumps(mteb_result(results, key), indent=1, allow_nan=False) + "\n"
        yield f"{FOLDER}/mteb/{mteb_place(results, key)}", content


def leaderboard_csv(results: Results) -> str:
    """Return one line per run: what it is of, then each measure x 100 with both ends of its interval."""
    keys, configuration = best_first(results), results.configuration
    measures = list(dict.fromkeys(name for key in keys for name in results.metrics(key).measures))
    rows: list[list[Cell | str | float | None]] = []
    for key in keys:
        metrics, settings = results.metrics(key), configuration.rerankers[key[2]]
        rows.append([key[0], results.dataset(key[0]).id, key[1], configuration.depth_of(key[1]), key[2]])
        rows[-1] += [label(configuration, key[2]), settings.family, getattr(settings, "model", None)]
        rows[-1] += [str(is_untrained(configuration, key[2])), metrics.queries.qrels]
        rows[-1].append(len(metrics.queries.unanswered))
        scores = {name: percent(value, metrics.interval[name]) for name, value in metrics.mean.items()}
        rows[-1] += [scores.get(name) for name in measures]
    columns: tuple[Heading, ...] = (
        "dataset", "dataset_id", "first_stage", ("depth", "count"), "reranker", "label", "family", "model",
        "untrained", ("queries", "count"), ("unanswered", "count"), *((name, "score") for name in measures),
    )  # fmt: skip
    return to_csv(Table.of("leaderboard", "Leaderboard", columns, rows))


def mteb_place(results: Results, key: RunKey) -> str:
    """Return ``<organisation>__<name>/<revision>/<task>.json``, where mteb keeps a result.

    The revision is 40 hex digits that change with the system's settings.
    """
    parts = [results.configuration.first_stages[key[1]], results.configuration.rerankers[key[2]]]
    settings = [part.model_dump(mode="json", exclude={"label"}) for part in parts]
    return f"e2rank-eval__{key[1]}--{key[2]}/{sha256_json(settings)[:40]}/{key[0]}.json"


def mteb_result(results: Results, key: RunKey) -> dict[str, Any]:
    """Return a run as mteb's ``TaskResult``: values from 0 to 1 under mteb's names, nDCG@10 as main score.

    The collections are English, so the language is mteb's ``eng-Latn``. The time of evaluation is
    left open: latency has files of its own.
    """
    means = {_mteb_name(name): round(value, 6) for name, value in results.metrics(key).mean.items()}
    scores = {name: value for name, value in means.items() if name}
    subset = {"main_score": scores["ndcg_at_10"], "hf_subset": "default", "languages": ["eng-Latn"]}
    identifier = results.dataset(key[0]).id
    return {
        "task_name": identifier,
        "dataset_revision": identifier,
        "mteb_version": metadata.version("mteb"),
        "evaluation_time": None,
        "kg_co2_emissions": None,
        "scores": {"test": [scores | subset]},
    }


def _mteb_name(measure: str) -> str | None:
    """Return mteb's name of a measure.

    >>> _mteb_name("R@100"), _mteb_name("Judged@10")
    ('recall_at_100', None)
    """
    match = re.fullmatch(r"(\w+)@(\d+)", measure)
    return f"{_MTEB_NAMES[match[1]]}_at_{match[2]}" if match and match[1] in _MTEB_NAMES else None
