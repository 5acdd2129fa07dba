"""The leaderboard: every run by collection, best first, as a table, as CSV and in mteb's result format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from e2rank_eval.config.measurements import RunKey
from e2rank_eval.report.collect import Results
from e2rank_eval.report.names import HEADLINE, run_page
from e2rank_eval.report.render import to_csv
from e2rank_eval.report.table import Cell, Column, Heading, Table, percent, ranked
from e2rank_eval.store.files import sha256_json

FOLDER = "downloads/leaderboard"

_MTEB_NAMES = {"nDCG": "ndcg", "AP": "map", "RR": "mrr", "R": "recall", "P": "precision"}
"""Measure of ir_measures (``nDCG@10``) -> its name in mteb (``ndcg_at_10``), which has no others."""


def best_first(results: Results) -> list[RunKey]:
    """Return every run, by collection in the configuration's order, then by nDCG@10, descending."""
    order = {name: position for position, name in enumerate(results.datasets())}
    return sorted(results.run_keys(), key=lambda key: (order[key[0]], -results.metrics(key).mean[HEADLINE]))


def leaderboard_table(results: Results) -> Table:
    """Return every run with its measures and with links to its page and its file in mteb's format."""
    keys, configuration = best_first(results), results.configuration
    found = dict.fromkeys([HEADLINE, *(name for key in keys for name in results.metrics(key).measures)])
    rows = []
    for key in keys:
        metrics, page = results.metrics(key), run_page(key)
        scores = {m: percent(value, metrics.interval[m], link=page) for m, value in metrics.mean.items()}
        rows.append(
            (
                key[0], results.system_cell(key[2]), results.first_stage_label(key[1]),
                metrics.queries.qrels, *(scores.get(name) for name in found),
                Cell("/".join(key[1:]), link=f"{FOLDER}/mteb/{mteb_place(results, key)}"),
                getattr(configuration.rerankers[key[2]], "model", None), configuration.depth_of(key[1]),
                len(metrics.queries.unanswered),
            )
        )  # fmt: skip
    columns: tuple[Heading, ...] = (
        "data set", "system", "first stage", ("queries", "count"),
        *(Column(f"{name} × 100", "score", ranked=name == HEADLINE) for name in found),
        "run", "model", ("depth", "count"), ("unanswered", "count"),
    )  # fmt: skip
    note = "In brackets the bootstrap 95 % interval. Bold: best of the collection; underlined: second best."
    groups = [key[0] for key in keys]
    return ranked(Table.of("leaderboard", "Leaderboard", columns, rows, [note], groups))


def leaderboard_files(results: Results) -> Iterator[tuple[str, str]]:
    """Yield (path below the site's root, content): the CSV, then each run in mteb's format."""
    yield f"{FOLDER}/leaderboard.csv", to_csv(leaderboard_table(results))
    for key in results.run_keys():
        content = json.dumps(mteb_result(results, key), indent=1, allow_nan=False) + "\n"
        yield f"{FOLDER}/mteb/{mteb_place(results, key)}", content


def mteb_place(results: Results, key: RunKey) -> str:
    """Return the path of a run's result in mteb's layout, ``<organisation>__<name>/<revision>/<task>.json``.

    The revision is 40 hex digits that change with the system's settings.
    """
    parts = [results.configuration.first_stages[key[1]], results.configuration.rerankers[key[2]]]
    settings = [part.model_dump(mode="json", exclude={"label"}) for part in parts]
    return f"e2rank-eval__{key[1]}--{key[2]}/{sha256_json(settings)[:40]}/{key[0]}.json"


def mteb_result(results: Results, key: RunKey) -> dict[str, Any]:
    """Return a run as mteb's ``TaskResult``: values from 0 to 1 under mteb's names, nDCG@10 as main score.

    The collections are English, so the language is mteb's ``eng-Latn``. The evaluation time is None, since
    latency is stored separately.
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
