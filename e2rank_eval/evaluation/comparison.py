"""Systems compared on the same queries: means with intervals, and paired tests against baselines."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation import significance
from e2rank_eval.evaluation.effectiveness import evaluate, require_judged
from e2rank_eval.evaluation.measures import parse_measures
from e2rank_eval.store import layout as places
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import (
    MACRO,
    Comparison,
    Metrics,
    SystemRow,
    TestRow,
    read_record,
    write_record,
)
from e2rank_eval.store.trec import Run, read_qrels, read_run

FEWEST_QUERIES = 6
"""Below six pairs a two-sided sign test cannot reach 0.05 (2 / 2^5 = 0.0625): no test is made."""

PerQuery = Mapping[str, float]
"""One measure's value by query id."""


def pairs(systems: Sequence[str], baselines: Sequence[str]) -> list[tuple[str, str]]:
    """Return (system, baseline) for every baseline, without repeating a pair in the other order.

    >>> pairs(["a", "b", "c"], ["a", "b"])
    [('b', 'a'), ('c', 'a'), ('c', 'b')]
    """
    found: list[tuple[str, str]] = []
    for position, baseline in enumerate(baselines):
        earlier = baselines[: position + 1]
        found += [(system, baseline) for system in systems if system not in earlier]
    return found


def compare(
    values: Mapping[tuple[str, str], PerQuery],
    *,
    title: str,
    baselines: Sequence[str],
    seed: int,
    measure: str = "nDCG@10",
    columns: Mapping[str, Sequence[str]] | None = None,
    first_stage: str = "",
    note: str = "",
) -> Comparison:
    """Compare ``values[dataset, reranker][query_id]``, data sets and rerankers in the order of the keys.

    Every data set and reranker gets a mean with a bootstrap 95 % interval; every pair of reranker and
    baseline gets a paired randomisation test (its p is Holm-corrected over all tests) and a paired t-test.
    With several collections, means and tests are also made over all of them. ``columns`` groups data sets:
    each group has one row, their macro-average, and counts as one collection; by default each data set has
    its own. p values are None below six queries.

    Raises
    ------
    InputError
        When two systems were not evaluated on the same queries of a data set.
    """
    all_datasets, rerankers = (list(dict.fromkeys(names)) for names in zip(*values, strict=True))
    columns = columns or {dataset: [dataset] for dataset in all_datasets}
    rows_of: dict[str, list[Sequence[str]]] = {
        name: [[one] for one in datasets] for name, datasets in columns.items()
    }
    if len(columns) > 1:
        rows_of[MACRO] = list(columns.values())
    aligned = {dataset: _aligned(dataset, rerankers, values) for dataset in all_datasets}
    systems, tests = [], []
    for name, averaged in rows_of.items():
        datasets = [one for several in averaged for one in several]
        # Data sets that share a column share its weight; where every column is one data set, all are 1.
        weights = [len(datasets) / (len(averaged) * len(several)) for several in averaged for _ in several]
        strata = {r: [aligned[dataset][r] for dataset in datasets] for r in rerankers}
        for reranker, rows in strata.items():
            weighted = _weighted(rows, weights)
            interval, mean = significance.bootstrap_interval(weighted, seed=seed), significance.mean(weighted)
            counts = {"queries": sum(map(len, rows)), "mean": mean, "interval": interval}
            systems.append(SystemRow(dataset=name, reranker=reranker, **counts))
        for reranker, baseline in pairs(rerankers, baselines):
            differences = [
                [our - their for our, their in zip(*pair, strict=True)]
                for pair in zip(strata[reranker], strata[baseline], strict=True)
            ]
            found = _tested(differences, weights, seed)
            tests.append(TestRow(dataset=name, reranker=reranker, baseline=baseline, **found))
    corrected = significance.holm([test.p_randomisation for test in tests])
    return Comparison(
        title=title,
        note=note,
        first_stage=first_stage,
        measure=measure,
        baselines=tuple(baselines),
        rerankers=tuple(rerankers),
        datasets=tuple(all_datasets),
        groups={name: tuple(datasets) for name, datasets in columns.items() if name not in all_datasets},
        permutations=significance.PERMUTATIONS,
        seed=seed,
        systems=tuple(systems),
        tests=tuple(test.model_copy(update={"p_holm": p}) for test, p in zip(tests, corrected, strict=True)),
    )


def _aligned(
    dataset: str, rerankers: Sequence[str], values: Mapping[tuple[str, str], PerQuery]
) -> dict[str, list[float]]:
    """Return each reranker's values in one order of the queries."""
    queries = sorted(values[dataset, rerankers[0]])
    for reranker in rerankers:
        if values[dataset, reranker].keys() != set(queries):
            raise InputError(
                f"{reranker!r} and {rerankers[0]!r} were not evaluated on the same queries of {dataset!r}",
                hint="evaluate both against the same judgements",
            )
    return {reranker: [values[dataset, reranker][q] for q in queries] for reranker in rerankers}


def _weighted(strata: significance.Strata, weights: Sequence[float]) -> list[list[float]]:
    """Scale each data set's values, so that the plain mean over data sets is the weighted one."""
    return [[weight * value for value in values] for weight, values in zip(weights, strata, strict=True)]


def _tested(differences: significance.Strata, weights: Sequence[float], seed: int) -> dict[str, Any]:
    """Return the fields of one test, before Holm's correction over all of them."""
    weighted, queries = _weighted(differences, weights), sum(map(len, differences))
    found: dict[str, Any] = dict.fromkeys(("p_randomisation", "p_t", "p_holm", "detectable"))
    if queries >= FEWEST_QUERIES:
        found["p_randomisation"] = significance.randomisation_p(weighted, seed=seed)
        found["p_t"] = significance.paired_t_p(weighted)
        if len(differences) == 1:
            found["detectable"] = significance.minimum_detectable_difference(differences[0])
    wins, ties, losses = significance.wins_ties_losses(differences)
    found |= {"queries": queries, "wins": wins, "ties": ties, "losses": losses}
    found |= {"difference": significance.mean(weighted)}
    return found | {"effect_size": significance.effect_size(differences, weights)}


def write_comparison(configuration: Configuration, name: str, layout: Layout) -> Path:
    """Compare the stored metrics of comparison ``name`` of the configuration; return the written file.

    Raises
    ------
    InputError
        When a file is missing, or systems were not evaluated on the same queries.
    """
    started = time.time()
    settings = configuration.comparisons[name]
    paths, values = [], {}
    for dataset in settings.datasets:
        for reranker in settings.rerankers:
            path = layout.run_path(places.METRICS, (dataset, settings.first_stage, reranker))
            values[dataset, reranker] = read_record(path, Metrics).per_query["nDCG@10"]
            paths.append(path)
    output = layout.path(places.COMPARISON, comparison=name)
    found = compare(
        values,
        title=settings.title,
        baselines=settings.baselines,
        seed=configuration.seed,
        columns=settings.columns,
        first_stage=settings.first_stage,
        note=settings.note,
    )
    write_record(output, found)
    write_manifest(
        output,
        command=shlex.join(["e2rank-eval", "compare", name, "--config", str(layout.path(places.CONFIG))]),
        settings=settings.model_dump(mode="json") | {"seed": configuration.seed},
        inputs=paths,
        started=started,
    )
    return output


def compare_runs(
    runs: Mapping[str, Run],
    qrels: dict[str, dict[str, int]],
    dataset: str,
    baseline: str,
    measure: str,
    *,
    seed: int,
) -> Comparison:
    """Compare named runs on the queries of ``qrels``; the note counts queries that are missing from a run."""
    (measure,) = parse_measures([measure])
    found = {system: evaluate(run, qrels, [measure]) for system, run in runs.items()}
    missing = {system: len(one.queries.unanswered) for system, one in found.items()}
    return compare(
        {(dataset, system): one.per_query[measure] for system, one in found.items()},
        title=f"Runs on {dataset}", baselines=[baseline], seed=seed, measure=measure,
        note=" ".join(
            f"{number} judged queries are missing from {system} and count as zero."
            for system, number in missing.items() if number
        ),
    )  # fmt: skip


def compare_files(
    qrels_path: Path, runs: Sequence[Path], measure: str = "nDCG@10", *, seed: int
) -> Comparison:
    """Compare TREC runs; the first is the baseline, and each is named after its file.

    Raises
    ------
    InputError
        For a malformed file, an unknown measure, two runs of one file name, or a run without a judged query.
    """
    parse_measures([measure])
    qrels = read_qrels(qrels_path)
    named: dict[str, Run] = {}
    for path in runs:
        if _stem(path) in named:
            raise InputError(f"two runs are named {_stem(path)!r}", path=path, hint="rename one of the files")
        named[_stem(path)] = run = read_run(path)
        require_judged(run, qrels, qrels_path, path)
    return compare_runs(named, qrels, _stem(qrels_path), _stem(runs[0]), measure, seed=seed)


def _stem(path: Path) -> str:
    """Return the file name without the usual endings: ``dl19.bm25`` for ``runs/dl19.bm25.txt.gz``."""
    name = path.name
    for suffix in (".gz", ".txt", ".run", ".trec", ".tsv"):
        name = name.removesuffix(suffix)
    return name
