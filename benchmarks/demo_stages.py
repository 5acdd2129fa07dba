"""The demo's time by stage, and the share of orchestration: Snakemake between jobs, and starting Python.

    make demo && python benchmarks/demo_stages.py [results/demo] [--figure demo_stages.svg]

reads the benchmark files of one uninterrupted run. A bar is a stage's share of the wall time of all jobs.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

RUNS = 3
GOAL = 15
"""Per cent of the wall time that orchestration should take at most."""


class Job(NamedTuple):
    """One job: its stage, when it started and ended (seconds since the epoch), its CPU seconds."""

    stage: str
    start: float
    end: float
    cpu: float


def read_jobs(folder: Path) -> list[Job]:
    """Return the jobs whose benchmark files are in ``folder``, in the order in which they started."""
    found = []
    for path in folder.rglob("*.tsv"):
        with path.open(encoding="utf-8") as lines:
            row = list(csv.DictReader(lines, delimiter="\t"))[-1]
        end = path.stat().st_mtime
        stage = path.relative_to(folder).parts[0].removesuffix(".tsv")
        found.append(Job(stage, end - float(row["s"]), end, float(row["cpu_time"])))
    return sorted(found, key=lambda job: job.start)


def busy_seconds(jobs: list[Job]) -> float:
    """Return the seconds during which at least one of the jobs (ordered by start) was running."""
    total, until = 0.0, 0.0
    for job in jobs:
        total += max(0.0, job.end - max(job.start, until))
        until = max(until, job.end)
    return total


def started(logs: Path, first: float) -> float:
    """Return the start of the Snakemake run whose first job started at ``first``, from its log's name."""
    names = [path.name.removesuffix(".snakemake.log") for path in logs.glob("*.snakemake.log")]
    times = [datetime.strptime(name, "%Y-%m-%dT%H%M%S.%f").timestamp() for name in names]
    return max((one for one in times if one <= first), default=first)


def start_of_python() -> float:
    """Return the median seconds of starting `e2rank-eval`."""
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "e2rank_eval", "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def draw(rows: list[tuple[float, str]], title: str, path: Path) -> None:
    """Draw seconds as bars, the first on top."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 0.4 * len(rows) + 1), layout="constrained")
    bars = axes.barh([name for _, name in rows], [seconds for seconds, _ in rows])
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.invert_yaxis()
    axes.set_xlabel("wall seconds")
    axes.set_title(title, loc="left", fontsize=10)
    figure.savefig(path)


def main(results: Path, figure: Path | None) -> None:
    """Print the table; also draw it if ``figure`` is given."""
    jobs = read_jobs(results / "benchmarks")
    if not jobs:
        print(f"{results} has no benchmark files; run make demo first")
        return
    stages: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        stages[job.stage].append(job)
    wall = max(job.end for job in jobs) - started(Path(".snakemake/log"), jobs[0].start)
    total, busy = sum(job.end - job.start for job in jobs), busy_seconds(jobs)
    rows = sorted(((sum(j.end - j.start for j in some), name) for name, some in stages.items()), reverse=True)
    print(f"{'stage':18} {'jobs':>4} {'seconds':>8} {'CPU s':>7}")
    for seconds, name in rows:
        cpu = sum(job.cpu for job in stages[name])
        bar = "#" * max(1, round(40 * seconds / total))
        print(f"{name:18} {len(stages[name]):4} {seconds:8.1f} {cpu:7.1f}  {bar}")
    between, starts = wall - busy, len(jobs) * start_of_python() * busy / total
    share = 100 * (between + starts) / wall
    print(f"{len(jobs)} jobs in {wall:.1f} s, at least one running for {busy:.1f} s")
    print(f"orchestration: {between:.1f} s between jobs and {starts:.1f} s of starting Python,", end=" ")
    print(f"{share:.1f} % (goal: at most {GOAL} %)")
    if figure is not None:
        draw([*rows, (between, "between jobs")], f"{results}: {wall:.0f} s", figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("results", type=Path, nargs="?", default=Path("results/demo"))
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    main(arguments.results, arguments.figure)
