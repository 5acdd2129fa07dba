"""The commands fetch and retrieve on a folder of many passages: CPU seconds and peak memory of each process.

Passages are synthetic and the same in every run. Their lengths are log-normal with a mean of 56 words, as in
MS MARCO; 29 % of the words are stop words, the others follow Zipf's law over three million words. A separate
process, which is not measured, first writes them to disk in BEIR layout.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import yaml

from e2rank_eval.retrieval.lucene import STOP_WORDS
from e2rank_eval.store.files import write_jsonl, write_text

VOCABULARY = 3_000_000
STOP_SHARE = 0.29
QUERIES = 20
_BLOCK = 10_000
_STOP = sorted(STOP_WORDS)


@lru_cache(maxsize=100_000)
def word(rank: int) -> str:
    """Return a word of syllables for each rank, shorter for more frequent ones; stop words below 0."""
    if rank < 0:
        return _STOP[rank]
    syllables = []
    while True:
        rank, rest = divmod(rank, 85)
        syllables.append("bcdfghjklmnpqrtvz"[rest // 5] + "aeiou"[rest % 5])
        if rank == 0:
            return "".join(syllables)


def passages(size: int) -> Iterator[str]:
    rng = np.random.default_rng(13)
    weights = 1 / (np.arange(VOCABULARY) + 2.7)
    cumulated = np.cumsum(weights / weights.sum())
    for start in range(0, size, _BLOCK):
        lengths = np.maximum(5, rng.lognormal(np.log(52), 0.4, min(_BLOCK, size - start))).astype(int)
        ranks = np.searchsorted(cumulated, rng.random(lengths.sum()))
        stop = rng.random(len(ranks)) < STOP_SHARE
        ranks[stop] = -1 - rng.integers(len(_STOP), size=stop.sum())
        for passage in np.split(ranks, np.cumsum(lengths)[:-1]):
            yield " ".join(map(word, passage.tolist()))


def write_collection(folder: Path, size: int) -> None:
    """Write ``size`` passages, and queries of six words from each of the first passages."""
    rng = np.random.default_rng(14)
    rows = ({"_id": f"d{number}", "text": text} for number, text in enumerate(passages(size)))
    write_jsonl(folder / "corpus.jsonl.gz", rows)
    queries = [" ".join(rng.choice(text.split(), 6)) for text in islice(passages(size), QUERIES)]
    write_jsonl(folder / "queries.jsonl", ({"_id": f"q{n}", "text": text} for n, text in enumerate(queries)))
    write_text(folder / "qrels.tsv", "".join(f"q{n}\td{n}\t1\n" for n in range(QUERIES)))


def run(folder: Path, *command: str) -> str:
    """Run a command of the suite in ``folder`` and return its CPU seconds and peak memory, for a table."""
    process = subprocess.Popen(
        [sys.executable, "-m", "e2rank_eval", *command, "--config", "scale.yaml"], cwd=folder
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed")
    mebibytes = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return f"{command[0]:>9} {used.ru_utime + used.ru_stime:>8.0f} s {mebibytes:>7,.0f} MiB"


def measure(size: int, analyser: str, quantised: bool) -> None:
    """Print a row for each command, and the number of queries that find the passage of their words."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A process of its own: the peak of a command would otherwise not be below this one's.
        with ProcessPoolExecutor(1, get_context("spawn")) as writer:
            writer.submit(write_collection, folder / "passages", size).result()
        bm25 = {"retriever": "bm25", "analyser": analyser, "quantised_lengths": quantised}
        configuration = {
            "profile": "scale",
            "datasets": {"passages": {"path": "passages"}},
            "first_stages": {"bm25": bm25},
            "rerankers": {"first-stage": {"family": "identity"}},
        }
        write_text(folder / "scale.yaml", yaml.safe_dump(configuration))
        for command in (["fetch"], ["retrieve", "bm25"]):
            row = run(folder, *command)
            print(f"{size:>10,} {row}", flush=True)
        lists = (folder / "results/scale/candidates/passages/bm25.jsonl").read_text().splitlines()
        found = sum(f"d{n}" in json.loads(line)["document_ids"] for n, line in enumerate(lists))
        print(f"{size:>10,} {found} of {QUERIES} queries find their passage among 100")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--analyser", choices=("lucene", "simple"), default="simple")
    parser.add_argument("--quantised", action="store_true", help="document lengths as in Lucene's index")
    given = parser.parse_args()
    for size in given.passages:
        measure(size, given.analyser, given.quantised)


if __name__ == "__main__":
    main()
