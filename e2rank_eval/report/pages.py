"""What stands on each page of the site, gathered from stored results; the templates say how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from e2rank_eval.report.collect import HEADLINE, Results, RunKey
from e2rank_eval.report.latency_tables import MODE_LABELS, conditions
from e2rank_eval.report.names import first_stage_label, full_name, is_untrained, label
from e2rank_eval.report.page_tables import measures_of_run
from e2rank_eval.report.quality_tables import SIGNIFICANT, repairs
from e2rank_eval.report.table import Cell, Column, Table, number
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import canonical_json
from e2rank_eval.store.results import MACRO, Comparison, Latency, Manifest, Mode, TestRow


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison in a sentence: its best system, and how that differs from the first baseline."""

    name: str
    title: str
    best: str
    score: str
    interval: str
    where: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """How one artefact came to be: a step's name, its place below the results, its manifest."""

    step: str
    place: str
    manifest: Manifest

    @property
    def facts(self) -> list[tuple[str, str]]:
        manifest, machine = self.manifest, self.manifest.hardware
        found = [
            ("file", self.place),
            ("sha256", manifest.sha256),
            ("started", manifest.started),
            ("duration", f"{manifest.seconds:.1f} s"),
            ("machine", ", ".join(f"{name}: {value}" for name, value in machine.items())),
            ("settings", canonical_json(manifest.settings)),
            ("versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
        ]
        return found + [(f"input {path}", digest) for path, digest in manifest.inputs.items()]


def finding(results: Results, name: str) -> Finding:
    """The best system of a comparison by its last column (the mean over collections where there is one)."""
    comparison = results.comparison(name)
    dataset = comparison.systems[-1].dataset
    rows = [row for row in comparison.systems if row.dataset == dataset]
    best = max(rows, key=lambda row: row.mean)
    low, high = best.interval
    where = f"{len(comparison.datasets)} collections" if dataset == MACRO else dataset
    return Finding(
        name=name,
        title=comparison.title,
        best=full_name(results.configuration, best.reranker),
        score=number(100 * best.mean, "score"),
        interval=f"{number(100 * low, 'score')} to {number(100 * high, 'score')}",
        where=f"{where}, {best.queries} queries",
        verdict=_verdict(results, comparison, dataset, best.reranker),
    )


def _verdict(results: Results, comparison: Comparison, dataset: str, reranker: str) -> str:
    baseline = comparison.baselines[0]
    tests = [t for t in comparison.tests if t.dataset == dataset and t.reranker == reranker]
    test = next((t for t in tests if t.baseline == baseline), None)
    if test is None:
        return "It is the baseline itself: no system is above it."
    points = f"{_signed(100 * test.difference)} points"
    queries = f"{test.wins} queries better, {test.ties} equal, {test.losses} worse"
    against = label(results.configuration, baseline)
    return f"Against {against}: {points}, {_significance(test)}; {queries}."


def _signed(difference: float) -> str:
    """As tables of pages print it, with a minus rather than a hyphen."""
    return number(difference, "difference").replace("-", "−")


def _significance(test: TestRow) -> str:
    if test.p_holm is None:
        return "too few queries to test"
    p = number(test.p_holm, "p")
    amount = f"p {p}" if p.startswith("<") else f"p = {p}"
    return f"{'significant' if test.p_holm < SIGNIFICANT else 'not significant'} ({amount} after Holm)"


def untrained_systems(results: Results) -> list[str]:
    used = dict.fromkeys(key[2] for key in results.run_keys())
    return [label(results.configuration, r) for r in used if is_untrained(results.configuration, r)]


def devices(results: Results) -> list[str]:
    """Where, and under what conditions, latency was measured."""
    latencies = [results.latency(key) for key in results.timed_keys()]
    return conditions(latencies) if latencies else []


def run_facts(results: Results, key: RunKey) -> dict[str, Any]:
    """What a run's page says besides its tables."""
    metrics = results.metrics(key)
    before = results.first_stage(key[0], key[1])
    start, value = sum(before.values()) / len(before), metrics.mean[HEADLINE]
    low, high = metrics.interval[HEADLINE]
    return {
        "name": label(results.configuration, key[2]),
        "untrained": is_untrained(results.configuration, key[2]),
        "first_stage": first_stage_label(results.configuration, key[1]),
        "dataset": results.dataset(key[0]),
        "score": number(100 * value, "score"),
        "interval": f"{number(100 * low, 'score')} to {number(100 * high, 'score')}",
        "before": number(100 * start, "score"),
        "change": _signed(100 * (value - start)),
        "measures": measures_of_run(metrics),
        "effort": effort_table(results, key),
        "repaired": repairs(results, key),
        "counts": _counts(results, key),
    }


def _counts(results: Results, key: RunKey) -> list[tuple[str, str]]:
    metrics = results.metrics(key)
    return [
        ("queries judged", f"{metrics.queries.qrels:,}"),
        ("queries ranked", f"{metrics.queries.run:,}"),
        ("unanswered, each counting 0", f"{len(metrics.queries.unanswered):,}"),
        ("failed, in first-stage order", f"{len(metrics.failed):,}"),
        ("tied documents", f"{metrics.ties:,}"),
    ]


def effort_table(results: Results, key: RunKey) -> Table:
    """Calls, tokens and cut documents of a run, in total and per query, from its statistics."""
    statistics = list(results.statistics(key).values())
    names = (
        "calls",
        "prompt_tokens",
        "document_tokens",
        "output_tokens",
        "prompt_documents",
        "truncated_documents",
    )
    rows = []
    for name in names:
        total = sum(stats[name] for stats in statistics)
        rows.append((Cell(name.replace("_", " ")), Cell(total), Cell(total / max(1, len(statistics)))))
    columns = (Column("effort", "text"), Column("total", "count"), Column("per query", "number"))
    return Table("effort", "What ranking took", columns, tuple(rows))


def latency_of_run(latency: Latency) -> Table:
    """Percentiles of every phase and of the total, in both modes."""
    rows = []
    for name, mode in latency.modes.items():
        for phase in [*(p for p in mode.percentiles if p != "total"), "total"]:
            times = [mode.percentiles[phase][p] for p in ("p50", "p90", "p99")]
            cells = [Cell(None if seconds is None else 1000 * seconds) for seconds in times]
            rows.append((Cell(phase), Cell(MODE_LABELS[name]), Cell(mode.samples), *cells))
    columns = [Column("phase", "text"), Column("document vectors", "text"), Column("samples", "count")]
    columns += [Column(f"{percentile} ms", "milliseconds") for percentile in ("p50", "p90", "p99")]
    notes = [" ".join(conditions([latency])), *map(_warm_up, latency.modes.values())]
    return Table("latency", "Latency by phase", tuple(columns), tuple(rows), tuple(dict.fromkeys(notes)))


def _warm_up(mode: Mode) -> str:
    agreed = "the last three agreed" if mode.warm_up_agreed else "the last three did not agree"
    return f"Warm-up: {mode.warm_up} runs, {agreed} within 10 %."


def run_provenance(results: Results, key: RunKey) -> list[Provenance]:
    """The commands that made the run, its metrics and, where timed, its latency."""
    patterns = [("rerank", places.RUN), ("evaluate", places.METRICS)]
    if key in results.timed_keys():
        patterns.append(("latency", places.LATENCY))
    return [_provenance(results, step, results.path(pattern, key)) for step, pattern in patterns]


def comparison_provenance(results: Results, name: str) -> list[Provenance]:
    return [_provenance(results, "compare", results.layout.path(places.COMPARISON, comparison=name))]


def _provenance(results: Results, step: str, path: Any) -> Provenance:
    place = path.relative_to(results.layout.root).as_posix()
    return Provenance(step, place, results.manifest(path))
