"""Tables of one latency entry: times, times by phase, and costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import TYPE_CHECKING

from e2rank_eval.config.measurements import RunKey
from e2rank_eval.evaluation.samples import (
    FEWEST_PAIRS,
    FEWEST_SAMPLES,
    baseline,
    misordered,
    percentile,
    speed_ups,
)
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.report.names import UNTRAINED_NOTE, run_page
from e2rank_eval.report.outputs import files_of
from e2rank_eval.report.table import Cell, Column, Kind, Table
from e2rank_eval.report.tables import TABLES
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import Latency, Timing

MODE_LABELS = {"online": "encoded online", "stored": "stored"}
"""Labels of the modes: whether documents are encoded within the timed interval."""

CLOCKS = {"cpu": "CPU time", "wall": "wall-clock time"}
"""Labels of the clocks."""

_SYSTEM: tuple[Column, ...] = (Column("system"), Column("document vectors"), Column("samples", "count"))

_TIMES: tuple[tuple[str, Kind], ...] = (
    ("speed-up", "ratio"), ("CPU p50 ms", "milliseconds"), ("p50 ms", "milliseconds"),
    ("p90 ms", "milliseconds"), ("p99 ms", "milliseconds"), ("mean ms", "milliseconds"),
    ("queries/s", "rate"), ("candidates", "count"), ("prompt tokens", "count"), ("document tokens", "count"),
    ("output tokens", "count"),
)  # fmt: skip

_COSTS: tuple[tuple[str, Kind], ...] = (
    ("GFLOP per query", "number"), ("GFLOP/s", "number"), ("% of peak", "number"), ("tokenising %", "number"),
    ("queries/s", "rate"), ("best batch", "count"), ("queries/s in it", "rate"),
    ("price of 1,000 queries", "text"),
)  # fmt: skip

_COST_NOTES = (
    "GFLOP: an estimate from the model's configuration, 2 per weight and token and 4 per unit of attention "
    "width, token and position (arXiv 2204.02311, appendix B), with all sequences of a query at their mean "
    "length. Peak: the rate of a square matrix product, measured in the same process before the queries.",
    "Tokenising: the share of the tokenizer in the total time, where the suite itself calls the tokenizer.",
)
_PRICE = "Price: from the prices per million tokens in the model's entry, without a discount for cached ones."


_INPUTS = files_of("latency", places.LATENCY)


@TABLES.register("latency", "latency", _INPUTS, "latency-{}")
def latency_table(results: Results, name: str) -> Table:
    """Milliseconds per query, one query at a time, after a warm-up; the systems take turns on each query.
    E2Rank and other systems with document vectors appear twice: with documents encoded online, and with
    stored document vectors.
    """
    latency, seed = results.latency(name), results.configuration.seed
    rows = []
    for (key, timing), speed_up in zip(
        measurements(results, name), speed_ups(latency, seed=seed), strict=True
    ):
        total, page = timing.wall["total"], _page(results, name, key)
        low, high = bootstrap_interval([total], seed=seed)
        rows.append(
            (
                *_system(results, name, key, timing),
                Cell(speed_up) if isinstance(speed_up, str) else Cell(speed_up.value, speed_up.interval),
                _milliseconds(percentile(timing.cpu["total"], 50), page),
                *(_milliseconds(percentile(total, p), page) for p in (50, 90, 99)),
                Cell(1000 * fmean(total), (1000 * low, 1000 * high), link=page),
                1 / fmean(total), timing.candidates,
                timing.prompt_tokens, timing.document_tokens, timing.output_tokens,
            )
        )  # fmt: skip
    slowest = baseline(latency, seed=seed)
    notes = [
        "One query at a time. In brackets the bootstrap 95 % interval. Tokens: means per query.",
        f"Speed-up over {measured_name(results, name, slowest)}: the median ratio of "
        f"{CLOCKS[latency.clock]} on the same query in the same round, of at least {FEWEST_PAIRS} pairs; "
        "given where its interval spans less than a factor of 1.5.",
        *_notes(results, name),
    ]
    if latency.rounds < FEWEST_SAMPLES[99]:
        notes.append("p90 is given for at least 20 samples, p99 for at least 100.")
    return Table.of(f"latency-{name}", _title(results, name), (*_SYSTEM, *_TIMES), rows, notes)


@TABLES.register("latency-phases", "latency", _INPUTS, "latency-{}-phases")
def phases_table(results: Results, name: str) -> Table:
    """Median milliseconds per query by phase (encoding documents, embedding the prompt, scoring): wall-clock
    time, then CPU time.
    """
    measured = list(measurements(results, name))
    phases = [p for p in dict.fromkeys(p for _, timing in measured for p in timing.wall) if p != "total"]
    rows = [
        (
            *_system(results, name, key, timing),
            *(
                _milliseconds(percentile(seconds[phase], 50) if phase in seconds else None, page)
                for seconds in (timing.wall, timing.cpu)
                for phase in (*phases, "total")
            ),
        )
        for key, timing in measured
        for page in [_page(results, name, key)]
    ]
    headings = [f"{clock}{phase} p50 ms" for clock in ("", "CPU ") for phase in (*phases, "total")]
    columns = (*_SYSTEM, *(Column(heading, "milliseconds") for heading in headings))
    notes = ("The medians of the phases need not add up to the median of the total.", *_notes(results, name))
    return Table.of(f"latency-{name}-phases", f"{_title(results, name)}, by phase", columns, rows, notes)


@TABLES.register("latency-cost", "latency", _INPUTS, "latency-{}-cost")
def cost_table(results: Results, name: str) -> Table:
    """Cost per query: estimated floating-point operations and their share of the device's measured rate, the
    tokenizer's share of the time, queries per second one at a time and in the best batch, and the price
    where a server charges one.
    """
    rows, latency = [], results.latency(name)
    for key, timing in measurements(results, name):
        price = None
        if prices := results.entries.prices(getattr(results.configuration.rerankers[key[2]], "model", None)):
            read = timing.prompt_tokens + timing.document_tokens
            amount = 1000 * prices.of(read, timing.output_tokens)
            price = f"{amount:.4g} {prices.currency}"
        same = (timing.reranker, timing.mode)
        batches = [p for p in latency.sweep if p.axis == "batch" and (p.reranker, p.mode) == same]
        best = max(batches, key=lambda point: point.queries_per_second, default=None)
        in_best = (best.value, best.queries_per_second) if best else (None, None)
        rows.append(
            (
                *_system(results, name, key, timing), _scaled(timing.flops, 1e-9),
                _scaled(timing.flops, 1e-9 / fmean(latency.seconds(timing))),
                _scaled(timing.peak_share, 100), _scaled(timing.tokenising, 100),
                1 / fmean(timing.wall["total"]), *in_best, price,
            )
        )  # fmt: skip
    priced = [_PRICE] if any(row[-1] for row in rows) else []
    notes = (*_COST_NOTES, f"GFLOP/s: in {CLOCKS[latency.clock]}.", *priced, *conditions([latency]))
    title = f"{_title(results, name)}: cost per query"
    return Table.of(f"latency-{name}-cost", title, (*_SYSTEM, *_COSTS), rows, notes)


def measurements(results: Results, name: str) -> Iterator[tuple[RunKey, Timing]]:
    """Yield (run, times) of a latency entry, in the configuration's order."""
    latency = results.latency(name)
    for timing in latency.timings:
        yield (latency.dataset, latency.first_stage, timing.reranker), timing


def measured_name(results: Results, name: str, timing: Timing) -> str:
    """Return the system's name, with its mode where it encodes documents."""
    shown = _mode_label(results, name, timing)
    system = results.full_name(timing.reranker)
    return f"{system} ({shown})" if shown else system


def conditions(latencies: Iterable[Latency]) -> list[str]:
    """Return notes on the device, its threads, and other load during the measurement."""
    found: dict[str, None] = {}
    for one in latencies:
        passive = "waiting threads asleep" if one.passive_waits else "waiting threads may spin"
        found[f"Measured on {one.device}, {one.threads} threads, {passive}."] = None
        if one.busy:
            found[f"Conditions: {one.busy}."] = None
    return list(found)


def _notes(results: Results, name: str) -> list[str]:
    """Return the notes that the tables of times of latency entry ``name`` share."""
    latency, configuration = results.latency(name), results.configuration
    notes = [
        f"{latency.rounds} rounds over {latency.queries} queries"
        + (
            f", of {latency.wanted} configured, within the budget of {latency.budget:g} s."
            if latency.rounds < latency.wanted
            else "."
        )
    ]
    notes += conditions([latency])
    if latency.peak_memory_bytes:
        peak = latency.peak_memory_bytes / 1e6
        notes.append(f"All models: loaded in {latency.load_seconds:.1f} s, peak memory {peak:,.0f} MB.")
    if latency.skipped:
        notes.append(f"Not reached within {latency.budget:g} s: {', '.join(latency.skipped)}.")
    for reranker in misordered(latency, seed=configuration.seed):
        notes.append(
            f"Measurement error: {results.full_name(reranker)} took longer with stored vectors than without, "
            "which is impossible."
        )
    if any(results.is_untrained(timing.reranker) for timing in latency.timings):
        notes.append(UNTRAINED_NOTE)
    return notes


def _title(results: Results, name: str) -> str:
    entry = results.configuration.latency[name]
    depth = results.configuration.depth_of(entry.first_stage)
    stage = results.first_stage_label(entry.first_stage)
    return f"Latency of reranking on {entry.dataset}, candidates: {stage}, {depth} per query"


def _mode_label(results: Results, name: str, timing: Timing) -> str | None:
    """Return the mode's label; None where the system does not encode documents separately."""
    own = [one for one in results.latency(name).timings if one.reranker == timing.reranker]
    encodes = any(one.mode == "stored" or "documents" in one.wall for one in own)
    return MODE_LABELS[timing.mode] if encodes else None


def _system(results: Results, name: str, key: RunKey, timing: Timing) -> tuple[Cell, str | None, int]:
    shown = results.system_cell(key[2])
    return shown, _mode_label(results, name, timing), len(timing.wall["total"])


def _page(results: Results, name: str, key: RunKey) -> str:
    return run_page(key) if results.configuration.latency[name].quality else ""


def _milliseconds(seconds: float | None, page: str) -> Cell:
    return Cell(_scaled(seconds, 1000), link=page)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
