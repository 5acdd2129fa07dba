"""BM25 over synthetic passages as many as asked for: seconds and peak memory, and what MS MARCO's would take.

With --stored N the passages are in a file as fetched data sets are, and the commands' two ways through it are
compared: streamed, as they read it, and held in memory.

Passages have 56 words in the mean, as MS MARCO's (log-normal); 29 in 100 are stop words, which leaves 40
terms to index, and the others follow Zipf's law over three million. They are made while they are indexed,
so that the index's own memory shows. Each size runs in a process of its own.

Measured once on one busy core: a million passages took 175 s, 15 ms a query and 1.2 GiB, from which the line
from 100,000 gives MS MARCO's 8.8 million 26 minutes and 8.3 GiB, the passages themselves not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.first_stages.bm25 import BM25, QuantisedBM25
from e2rank_eval.retrieval.lucene import STOP_WORDS
from e2rank_eval.store.collections import read_corpus
from e2rank_eval.store.files import write_jsonl

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


def queries_of_passages() -> list[Query]:
    rng = np.random.default_rng(14)
    return [Query(one.id, " ".join(rng.choice(one.text.split(), 6))) for one in passages(QUERIES)]


def measure(size: int, analyser: str) -> dict[str, float]:
    """Build and search one index in this process."""
    started = time.perf_counter()
    for _ in passages(size):
        pass
    making = time.perf_counter() - started
    started = time.perf_counter()
    index = QuantisedBM25(passages(size), analyser=analyser)  # type: ignore[arg-type]
    building = time.perf_counter() - started - making
    queries = queries_of_passages()
    started = time.perf_counter()
    index.search(queries, [DEPTH] * QUERIES)
    return {
        "passages": size,
        "build_seconds": building,
        "query_seconds": (time.perf_counter() - started) / QUERIES,
        "peak_bytes": peak_bytes(),
        "postings": len(index._postings._weights),
    }


def measure_stored(path: Path, index: str, way: str) -> dict[str, float]:
    """Index a stored corpus, streamed or held, and search it; memory beyond that of the imports."""
    before, started = peak_bytes(), time.perf_counter()
    stored = read_corpus(path)
    corpus: Collection[Document] = stored.values() if way == "streamed" else list(stored.values())
    build = BM25 if index == "bm25s" else QuantisedBM25
    build(corpus, analyser="simple").search(queries_of_passages(), [DEPTH] * QUERIES)
    return {"seconds": time.perf_counter() - started, "bytes": peak_bytes() - before}


def in_a_process(*options: object) -> dict[str, float]:
    command = [sys.executable, __file__, *map(str, options)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def extrapolated(small: dict[str, float], large: dict[str, float], key: str) -> float:
    """The straight line through two sizes, at MS MARCO's."""
    slope = (large[key] - small[key]) / (large["passages"] - small["passages"])
    return large[key] + slope * (MSMARCO - large["passages"])


def compare_stored(size: int) -> None:
    """Both ways through a stored corpus of ``size`` passages, and their ratio."""
    print("     index       way   seconds  MiB beyond the imports")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.jsonl.gz"
        write_jsonl(path, rows(passages(size)))
        for index in ("bm25s", "quantised"):
            found = {}
            for way in ("held", "streamed"):
                found[way] = in_a_process("--one-stored", path, index, way)
                mebibytes = found[way]["bytes"] / 2**20
                print(f"{index:>10} {way:>9} {found[way]['seconds']:>9.1f} {mebibytes:>9,.0f}")
            ratio = found["held"]["bytes"] / found["streamed"]["bytes"]
            print(f"{index:>10}: held takes {ratio:.2f} times the memory of streamed")


def rows(documents: Iterable[Document]) -> Iterator[dict[str, str]]:
    return ({"_id": one.id, "title": one.title, "text": one.text} for one in documents)


def compare_sizes(sizes: list[int], analyser: str) -> None:
    found = []
    print("  passages  postings  build s  ms/query  peak MiB")
    for size in sizes:
        one = in_a_process("--one", size, "--analyser", analyser)
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--million", action="store_true", help="measure 1,000,000 passages too (minutes)")
    parser.add_argument("--stored", type=int, metavar="N", help="N passages in a file, streamed and held")
    parser.add_argument("--analyser", choices=("lucene", "simple"), default="lucene")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--one-stored", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.analyser)))
    elif given.one_stored:
        path, index, way = given.one_stored
        print(json.dumps(measure_stored(Path(path), index, way)))
    elif given.stored:
        compare_stored(given.stored)
    else:
        compare_sizes([10_000, 100_000, *([1_000_000] if given.million else [])], given.analyser)


if __name__ == "__main__":
    main()
