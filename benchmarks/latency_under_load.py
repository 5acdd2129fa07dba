"""Stability of latency ratios under load: one entry timed on idle cores, then with every core busy.

Usage: python benchmarks/latency_under_load.py [--rounds 16] [--candidates 40] [--threads 2]

MiniLM on docstrings: the plain query and E2Rank with 10 documents in the prompt, each with documents encoded
online and with stored vectors. For each ratio that is printed in both runs, the larger over the smaller is
shown; the goal is 1.15. A ratio that is withheld under load counts as correct, a printed one that differs by
more counts as wrong. The load of other processes is printed; in the first run there should be none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

os.environ["OMP_WAIT_POLICY"] = "passive"  # before torch is loaded

from support.options import options
from support.texts import work_of

from e2rank_eval.config.measurements import LatencySettings
from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.evaluation.latency import measure
from e2rank_eval.evaluation.samples import Ratio, System, speed_ups
from e2rank_eval.models.loading import Models
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings
from e2rank_eval.store.results import Latency

MODEL, QUERIES, GOAL, SEED = "all-minilm-l6-v2", 4, 1.15, 13


@contextmanager
def load_on_every_core() -> Iterator[None]:
    cores = len(os.sched_getaffinity(0))
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def main() -> None:
    given = options(__doc__, rounds=16, candidates=40).parse_args()
    encoder = Models(given.cache, threads=given.threads, vector_cache=False).encoder(MODEL)
    chosen = {
        "query-only": E2RankSettings(family="e2rank", model=MODEL, prompt="query-only"),
        "e2rank": E2RankSettings(family="e2rank", model=MODEL, prompt_documents=10),
    }
    settings = LatencySettings(
        dataset="docstrings", first_stage="none", rerankers=list(chosen), samples=given.rounds
    )

    def build(one: RerankerSettings) -> E2RankReranker:
        assert isinstance(one, E2RankSettings)
        return E2RankReranker(encoder, one)

    def measured() -> Latency:
        systems = [
            System(name, mode, one, build(one))
            for name, one in chosen.items()
            for mode in ("online", "stored")
        ]
        work = work_of(None, QUERIES, given.candidates)
        return measure(
            systems, work, settings, build=build, clock="cpu", threads=given.threads, load_seconds=0.0,
            engines={},
        )  # fmt: skip

    quiet = measured()
    with load_on_every_core():
        loaded = measured()
    report(quiet, loaded)


def report(quiet: Latency, loaded: Latency) -> None:
    for name, one in (("without load", quiet), ("beside load", loaded)):
        print(f"{name}: {one.rounds} rounds, {one.threads} threads; {one.busy or 'no other work'}")
    ratios = zip(quiet.timings, *(speed_ups(one, seed=SEED) for one in (quiet, loaded)), strict=True)
    wrong = 0
    for (timing, *found), again in zip(ratios, loaded.timings, strict=True):
        shown = " | ".join(
            f"{one.value:6.2f} [{one.interval[0]:.2f}, {one.interval[1]:.2f}]"
            if isinstance(one, Ratio)
            else one
            for one in found
        )
        both = [one.value for one in found if isinstance(one, Ratio)]
        apart = max(both) / min(both) if len(both) == 2 else None
        wrong += apart is not None and apart > GOAL
        slower = sum(again.wall["total"]) / sum(timing.wall["total"])
        verdict = "withheld" if apart is None else f"{apart:.2f} apart"
        print(f"  {timing.reranker:10} {timing.mode:6} {shown} | {verdict}; wall-clock time x {slower:.1f}")
    print(f"ratios that are printed and more than {GOAL} apart: {wrong}")


if __name__ == "__main__":
    main()
