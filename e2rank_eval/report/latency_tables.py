"""Tables of one latency entry: times in full, and where the time goes by phase."""

from __future__ import annotations

from collections.abc import Iterator

from e2rank_eval.report.collect import Results, RunKey
from e2rank_eval.report.names import (
    UNTRAINED,
    UNTRAINED_NOTE,
    first_stage_label,
    full_name,
    is_untrained,
    label,
)
from e2rank_eval.report.table import Cell, Column, Kind, Link, Table
from e2rank_eval.store.results import Latency, Mode

MODE_LABELS = {"online": "encoded online", "stored": "stored"}
"""How the documents' vectors came to be there, by the artefact's name of it."""

_FEWEST = "p90 is given from 20 samples on, p99 from 100."

_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("system", "text"), ("document vectors", "text"), ("samples", "count"), ("p50 ms", "milliseconds"),
    ("p90 ms", "milliseconds"), ("p99 ms", "milliseconds"), ("mean ms", "milliseconds"),
    ("queries/s", "rate"), ("times as fast", "ratio"), ("candidates", "count"), ("prompt tokens", "count"),
    ("document tokens", "count"), ("output tokens", "count"), ("peak MB", "megabytes"),
)  # fmt: skip


def latency_table(results: Results, name: str) -> Table:
    """Systems and modes: percentiles, mean with interval, rate, tokens, memory, speed against the slowest."""
    measured = list(measurements(results, name))
    slowest_key, slowest_mode, _ = max(measured, key=lambda one: one[2].median)
    slowest = max(mode.median for _, _, mode in measured)
    rows = []
    for key, mode_name, mode in measured:
        low, high = mode.interval
        total = mode.percentiles["total"]
        rows.append(
            (
                system_cell(results, key[2]),
                Cell(MODE_LABELS[mode_name] if has_documents(results, key) else None),
                Cell(mode.samples),
                *(_milliseconds(total[p], key) for p in ("p50", "p90", "p99")),
                Cell(1000 * mode.mean, (1000 * low, 1000 * high), link=_link(key)),
                Cell(mode.queries_per_second),
                Cell(slowest / mode.median),
                Cell(mode.candidates),
                Cell(mode.prompt_tokens),
                Cell(mode.document_tokens),
                Cell(mode.output_tokens),
                Cell(mode.peak_memory_bytes / 1e6),
            )
        )
    reference = measured_name(results, slowest_key, slowest_mode)
    notes = [
        "One query at a time. In brackets the bootstrap 95 % interval of the mean. Tokens: means per query.",
        f"Times as fast: by p50, against the slowest row, {reference}.",
        *_notes(results, name),
    ]
    columns = tuple(Column(heading, kind) for heading, kind in _COLUMNS)
    return Table(f"latency-{name}", title(results, name), columns, tuple(rows), tuple(notes))


def phases_table(results: Results, name: str) -> Table:
    """The median of every phase, as the paper splits its times into documents and the rest."""
    measured = list(measurements(results, name))
    phases = list(dict.fromkeys(p for _, _, mode in measured for p in mode.percentiles if p != "total"))
    rows = []
    for key, mode_name, mode in measured:
        medians = [mode.percentiles.get(phase, {}).get("p50") for phase in (*phases, "total")]
        rows.append(
            (
                system_cell(results, key[2]),
                Cell(MODE_LABELS[mode_name] if has_documents(results, key) else None),
                Cell(mode.samples),
                *(_milliseconds(median, key) for median in medians),
                Cell(1000 * results.latency(key).load_seconds),
            )
        )
    headings = ["system", "document vectors", "samples", *(f"{phase} p50 ms" for phase in (*phases, "total"))]
    texts = {"system", "document vectors"}
    columns = tuple(
        Column(heading, "text" if heading in texts else "count" if heading == "samples" else "milliseconds")
        for heading in (*headings, "model load ms")
    )
    notes = (
        "Medians of phases need not add up to that of the total. Loading the model is in no other column.",
        *_notes(results, name),
    )
    return Table(f"latency-{name}-phases", f"{title(results, name)}, by phase", columns, tuple(rows), notes)


def measurements(results: Results, name: str) -> Iterator[tuple[RunKey, str, Mode]]:
    """(run, mode, times) of a latency entry, in the configuration's order."""
    entry = results.configuration.latency[name]
    for reranker in entry.rerankers:
        key = (entry.dataset, entry.first_stage, reranker)
        for mode_name, mode in results.latency(key).modes.items():
            yield key, mode_name, mode


def title(results: Results, name: str) -> str:
    entry = results.configuration.latency[name]
    depth = results.configuration.depth_of(entry.first_stage)
    stage = first_stage_label(results.configuration, entry.first_stage)
    return f"Latency of reranking on {entry.dataset}, candidates: {stage}, {depth} per query"


def system_cell(results: Results, reranker: str) -> Cell:
    tags = (UNTRAINED,) if is_untrained(results.configuration, reranker) else ()
    return Cell(label(results.configuration, reranker), tags=tags)


def measured_name(results: Results, key: RunKey, mode: str) -> str:
    """The system, with its mode where it has documents to encode."""
    name = full_name(results.configuration, key[2])
    return f"{name} ({MODE_LABELS[mode]})" if has_documents(results, key) else name


def conditions(latencies: list[Latency]) -> list[str]:
    """Device and threads, and whatever makes the times less than clean."""
    devices = dict.fromkeys(f"{one.device}, {one.threads} threads" for one in latencies)
    found = [f"Measured on {'; '.join(devices)}."]
    labels: dict[str, None] = dict.fromkeys(text for one in latencies for text in one.labels)
    if labels:
        found.append(f"Conditions: {'; '.join(labels)}.")
    return found


def _notes(results: Results, name: str) -> list[str]:
    entry = results.configuration.latency[name]
    latencies = [results.latency((entry.dataset, entry.first_stage, r)) for r in entry.rerankers]
    notes = conditions(latencies)
    modes = [mode for one in latencies for mode in one.modes.values()]
    if any(None in mode.percentiles["total"].values() for mode in modes):
        notes.append(_FEWEST)
    restless = [
        measured_name(results, key, mode_name)
        for key, mode_name, mode in measurements(results, name)
        if not mode.warm_up_agreed
    ]
    if restless:
        notes.append(f"Warm-up runs did not agree within 10 % for {', '.join(restless)}.")
    if any(is_untrained(results.configuration, r) for r in entry.rerankers):
        notes.append(UNTRAINED_NOTE)
    return notes


def has_documents(results: Results, key: RunKey) -> bool:
    """Whether the system encodes documents by themselves, so that the mode means something."""
    modes = results.latency(key).modes
    return "stored" in modes or any("documents" in mode.seconds for mode in modes.values())


def _link(key: RunKey) -> Link:
    return Link(run=key, part="latency")


def _milliseconds(seconds: float | None, key: RunKey) -> Cell:
    return Cell(None if seconds is None else 1000 * seconds, link=_link(key))
