"""BM25 over synthetic passages as many as asked for: seconds and peak memory, and what MS MARCO's would take.

Passages have 56 words in the mean, as MS MARCO's (log-normal); 29 in 100 are stop words, which leaves 40
terms to index, and the others follow Zipf's law over three million. They are made while they are indexed,
so that the index's own memory shows; --hold keeps them as the verb retrieve does. Each size runs in a
process of its own.

Measured once on one busy core: a million passages took 175 s, 15 ms a query and 1.2 GiB, from which the line
from 100,000 gives MS MARCO's 8.8 million 26 minutes and 8.3 GiB, the passages themselves not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.analysis import STOP_WORDS
from e2rank_eval.retrieval.quantised_bm25 import QuantisedBM25

MSMARCO = 8_841_823
"""Passages of MS MARCO v1."""

VOCABULARY = 3_000_000
STOP_SHARE = 0.29
QUERIES = 200
DEPTH = 100
_BLOCK = 10_000
_STOP = sorted(STOP_WORDS)


@lru_cache(maxsize=100_000)
def word(rank: int) -> str:
    """A word of syllables for each rank, shorter for commoner ones; stop words below 0."""
    if rank < 0:
        return _STOP[rank]
    syllables = []
    while True:
        rank, rest = divmod(rank, 85)
        syllables.append("bcdfghjklmnpqrtvz"[rest // 5] + "aeiou"[rest % 5])
        if rank == 0:
            return "".join(syllables)


def passages(size: int) -> Iterator[Document]:
    rng = np.random.default_rng(13)
    weights = 1 / (np.arange(VOCABULARY) + 2.7)
    cumulated = np.cumsum(weights / weights.sum())
    for start in range(0, size, _BLOCK):
        lengths = np.maximum(5, rng.lognormal(np.log(52), 0.4, min(_BLOCK, size - start))).astype(int)
        ranks = np.searchsorted(cumulated, rng.random(lengths.sum()))
        stop = rng.random(len(ranks)) < STOP_SHARE
        ranks[stop] = -1 - rng.integers(len(_STOP), size=stop.sum())
        at = 0
        for number, length in enumerate(lengths.tolist(), start=start):
            yield Document(str(number), " ".join(map(word, ranks[at : at + length].tolist())))
            at += length


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(size: int, *, hold: bool, analyser: str) -> dict[str, float]:
    """Build and search one index in this process."""
    started = time.perf_counter()
    for _ in passages(size):
        pass
    making = time.perf_counter() - started
    started = time.perf_counter()
    corpus = list(passages(size)) if hold else passages(size)
    index = QuantisedBM25(corpus, analyser=analyser)  # type: ignore[arg-type]
    building = time.perf_counter() - started - making
    rng = np.random.default_rng(14)
    queries = [
        Query(document.id, " ".join(rng.choice(document.text.split(), 6))) for document in passages(QUERIES)
    ]
    started = time.perf_counter()
    index.search(queries, [DEPTH] * QUERIES)
    return {
        "passages": size,
        "build_seconds": building,
        "query_seconds": (time.perf_counter() - started) / QUERIES,
        "peak_bytes": peak_bytes(),
        "postings": len(index._postings._weights),
    }


def in_a_process(size: int, options: list[str]) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", str(size), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def extrapolated(small: dict[str, float], large: dict[str, float], key: str) -> float:
    """The straight line through two sizes, at MS MARCO's."""
    slope = (large[key] - small[key]) / (large["passages"] - small["passages"])
    return large[key] + slope * (MSMARCO - large["passages"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--million", action="store_true", help="measure 1,000,000 passages too (minutes)")
    parser.add_argument("--hold", action="store_true", help="hold the passages in memory, as the verb does")
    parser.add_argument("--analyser", choices=("lucene", "simple"), default="lucene")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, hold=given.hold, analyser=given.analyser)))
        return
    options = ["--analyser", given.analyser, *(["--hold"] if given.hold else [])]
    found = []
    print("  passages  postings  build s  ms/query  peak MiB")
    for size in [10_000, 100_000, *([1_000_000] if given.million else [])]:
        one = in_a_process(size, options)
        found.append(one)
        print(
            f"{size:>10,} {one['postings']:>9,.0f} {one['build_seconds']:>8.1f} "
            f"{1000 * one['query_seconds']:>9.2f} {one['peak_bytes'] / 2**20:>9,.0f}"
        )
    keys = ("build_seconds", "query_seconds", "peak_bytes")
    seconds, query, peak = (extrapolated(found[-2], found[-1], key) for key in keys)
    print(
        f"extrapolated, not measured, to {MSMARCO:,}: {seconds / 60:.0f} min, "
        f"{1000 * query:.0f} ms/query, {peak / 2**30:.1f} GiB (the line through the last two sizes;"
        " new words become rarer on the way, which it does not know)"
    )


if __name__ == "__main__":
    main()
