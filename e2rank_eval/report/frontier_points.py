"""What a frontier's marks tell a reader who points at them: the system, its quality, its times, its run."""

from __future__ import annotations

from e2rank_eval.report.addresses import run_page
from e2rank_eval.report.collect import HEADLINE, Results, RunKey
from e2rank_eval.report.frontier import mark_id, time_text
from e2rank_eval.report.inline_svg import Point
from e2rank_eval.report.latency_tables import measured_name, measurements
from e2rank_eval.report.table import number
from e2rank_eval.store.results import Mode


def frontier_points(results: Results, name: str, root: str) -> dict[str, Point]:
    """By the mark's id in the figure of latency entry ``name``; ``root`` leads to the site's root."""
    return {
        mark_id(key[2], mode_name): Point(
            f"{root}{run_page(key)}#latency", _lines(results, key, mode_name, mode)
        )
        for key, mode_name, mode in measurements(results, name)
    }


def _lines(results: Results, key: RunKey, mode_name: str, mode: Mode) -> tuple[str, ...]:
    metrics = results.metrics(key)
    low, high = (number(100 * end, "score") for end in metrics.interval[HEADLINE])
    times = {name: seconds for name, seconds in mode.percentiles["total"].items() if seconds is not None}
    return (
        measured_name(results, key, mode_name),
        f"{HEADLINE} × 100: {number(100 * metrics.mean[HEADLINE], 'score')} [{low}, {high}],"
        f" {metrics.queries.qrels} queries",
        f"per query: {', '.join(f'{name} {_rounded(seconds)}' for name, seconds in times.items())},"
        f" {mode.samples} samples",
        f"{number(mode.queries_per_second, 'rate')} queries/s, {number(mode.prompt_tokens, 'count')} prompt,"
        f" {number(mode.document_tokens, 'count')} document and {number(mode.output_tokens, 'count')}"
        " output tokens",
    )


def _rounded(seconds: float) -> str:
    return time_text(float(f"{seconds:.3g}"))
