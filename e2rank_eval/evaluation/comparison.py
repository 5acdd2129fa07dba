"""Systems compared on the same queries: means with intervals, and paired tests against baselines."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation import significance
from e2rank_eval.evaluation.effectiveness import evaluate
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
from e2rank_eval.store.trec import read_qrels, read_run

FEWEST_QUERIES = 6
"""Below six pairs a two-sided sign test cannot reach 0.05 (2 / 2^5 = 0.0625): no test is made."""

PerQuery = Mapping[str, float]
"""One measure's value by query id."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared: ``rerankers`` on ``datasets``, each tested against every one of ``baselines``."""

    title: str
    datasets: Sequence[str]
    rerankers: Sequence[str]
    baselines: Sequence[str]
    first_stage: str = ""
    note: str = ""

    def pairs(self) -> list[tuple[str, str]]:
        """(reranker, baseline), no pair of systems twice."""
        found: list[tuple[str, str]] = []
        for position, baseline in enumerate(self.baselines):
            passed = self.baselines[: position + 1]
            found += [(reranker, baseline) for reranker in self.rerankers if reranker not in passed]
        return found


def compare(
    plan: Plan,
    values: Mapping[tuple[str, str], PerQuery],
    *,
    seed: int,
    measure: str = "nDCG@10",
    permutations: int = significance.PERMUTATIONS,
) -> Comparison:
    """Compare ``values[dataset, reranker][query_id]``.

    ``systems`` has a mean with a bootstrap 95 % interval for every data set and reranker, ``tests``
    a paired randomisation test (whose p Holm corrects over all of ``tests``) and a paired t-test
    for every pair of reranker and baseline; both have rows over all collections where there are
    several. p values are None below six queries.
    ``detectable`` is the smallest difference that a test on so many queries could be expected to find
    (:func:`significance.minimum_detectable_difference`), of one collection at a time.

    Raises
    ------
    InputError
        When two systems were not evaluated on the same queries of a data set.
    """
    groups = [(dataset, [dataset]) for dataset in plan.datasets]
    if len(plan.datasets) > 1:
        groups.append((MACRO, list(plan.datasets)))
    aligned = {dataset: _aligned(dataset, plan.rerankers, values) for dataset in plan.datasets}
    systems, tests = [], []
    for name, datasets in groups:
        strata = {r: [aligned[dataset][r] for dataset in datasets] for r in plan.rerankers}
        systems += [
            SystemRow(
                dataset=name,
                reranker=r,
                queries=sum(map(len, strata[r])),
                mean=significance.mean(strata[r]),
                interval=significance.bootstrap_interval(strata[r], seed=seed),
            )
            for r in plan.rerankers
        ]
        tests += [
            _test((name, reranker, baseline), strata[reranker], strata[baseline], seed, permutations)
            for reranker, baseline in plan.pairs()
        ]
    corrected = significance.holm([test.p_randomisation for test in tests])
    return Comparison(
        title=plan.title,
        note=plan.note,
        first_stage=plan.first_stage,
        measure=measure,
        baselines=tuple(plan.baselines),
        rerankers=tuple(plan.rerankers),
        datasets=tuple(plan.datasets),
        permutations=permutations,
        seed=seed,
        systems=tuple(systems),
        tests=tuple(test.model_copy(update={"p_holm": p}) for test, p in zip(tests, corrected, strict=True)),
    )


def _aligned(
    dataset: str, rerankers: Sequence[str], values: Mapping[tuple[str, str], PerQuery]
) -> dict[str, list[float]]:
    """Each reranker's values in one order of the queries."""
    queries = sorted(values[dataset, rerankers[0]])
    for reranker in rerankers:
        if values[dataset, reranker].keys() != set(queries):
            raise InputError(
                f"{reranker!r} and {rerankers[0]!r} were not evaluated on the same queries of {dataset!r}",
                hint="evaluate both against the same judgements",
            )
    return {reranker: [values[dataset, reranker][q] for q in queries] for reranker in rerankers}


def _test(
    names: tuple[str, str, str], ours: significance.Strata, theirs: significance.Strata, seed: int,
    permutations: int,
) -> TestRow:  # fmt: skip
    """The test of one pair, before Holm's correction over all; ``names``: data set, reranker, baseline."""
    dataset, reranker, baseline = names
    differences = [
        [a - b for a, b in zip(our, their, strict=True)] for our, their in zip(ours, theirs, strict=True)
    ]
    queries = sum(map(len, differences))
    tested = queries >= FEWEST_QUERIES
    wins, ties, losses = significance.wins_ties_losses(differences)
    p = significance.randomisation_p(differences, seed=seed, permutations=permutations) if tested else None
    return TestRow(
        dataset=dataset,
        reranker=reranker,
        baseline=baseline,
        queries=queries,
        difference=significance.mean(differences),
        p_randomisation=p,
        p_t=significance.paired_t_p(differences) if tested else None,
        p_holm=p,
        effect_size=significance.effect_size(differences),
        detectable=significance.minimum_detectable_difference(differences[0])
        if tested and len(differences) == 1
        else None,
        wins=wins,
        ties=ties,
        losses=losses,
    )


def compare_metrics(
    plan: Plan, paths: Mapping[tuple[str, str], Path], *, seed: int, measure: str = "nDCG@10"
) -> Comparison:
    """:func:`compare` on metrics files by (dataset, reranker).

    Raises
    ------
    InputError
        When a file is missing or lacks ``measure``, or queries differ.
    """
    values = {}
    for key, path in paths.items():
        per_query = read_record(path, Metrics).per_query
        if measure not in per_query:
            raise InputError(f"no values of {measure}", path=path, hint=f"evaluate the run with {measure}")
        values[key] = per_query[measure]
    return compare(plan, values, seed=seed, measure=measure)


def write_comparison(configuration: Configuration, name: str, layout: Layout) -> Path:
    """Compare the stored metrics that comparison ``name`` of the configuration asks for.

    Returns the path written; raises :class:`InputError` as :func:`compare_metrics` does.
    """
    started = time.time()
    settings = configuration.comparisons[name]
    plan = Plan(
        title=settings.title,
        datasets=settings.datasets,
        rerankers=settings.rerankers,
        baselines=settings.baselines,
        first_stage=settings.first_stage,
        note=settings.note,
    )
    paths = {
        (dataset, reranker): layout.path(
            places.METRICS, dataset=dataset, first_stage=settings.first_stage, reranker=reranker
        )
        for dataset in settings.datasets
        for reranker in settings.rerankers
    }
    artefact = layout.path(places.COMPARISON, comparison=name)
    write_record(artefact, compare_metrics(plan, paths, seed=configuration.seed))
    write_manifest(
        artefact,
        command=shlex.join(["e2rank-eval", "compare", name, "--config", str(layout.path(places.CONFIG))]),
        settings=settings.model_dump(mode="json") | {"seed": configuration.seed},
        inputs=list(paths.values()),
        started=started,
    )
    return artefact


def compare_files(
    qrels_path: Path, runs: Sequence[Path], measure: str = "nDCG@10", *, seed: int
) -> Comparison:
    """:func:`compare` on TREC runs from anywhere: the first is the baseline, each is named by its file.

    Raises
    ------
    InputError
        For a malformed file, an unknown measure, or two runs of the same file name.
    """
    (measure,) = parse_measures([measure])
    dataset, qrels = _stem(qrels_path), read_qrels(qrels_path)
    values: dict[tuple[str, str], PerQuery] = {}
    for path in runs:
        key = (dataset, _stem(path))
        if key in values:
            raise InputError(f"two runs are named {key[1]!r}", path=path, hint="rename one of the files")
        values[key] = evaluate(read_run(path), qrels, [measure]).per_query[measure]
    plan = Plan(f"Runs on {dataset}", [dataset], [name for _, name in values], [_stem(runs[0])])
    return compare(plan, values, seed=seed, measure=measure)


def _stem(path: Path) -> str:
    """``runs/dl19.bm25.txt.gz`` -> ``dl19.bm25``: the usual endings of runs and judgements go."""
    name = path.name
    for suffix in (".gz", ".txt", ".run", ".trec", ".tsv"):
        name = name.removesuffix(suffix)
    return name
