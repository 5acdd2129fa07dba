"""mteb's tasks with this suite's adapter against mteb's own wrapper of sentence-transformers, side by side.

Usage: python benchmarks/mteb_tasks.py [--rounds 3] [--tasks LeeRetrieval] [--threads 1] [--cache cache]

The model is all-MiniLM-L6-v2, without stored vectors. The two take turns within a round, so that other load
affects both alike. Printed are medians over rounds, the speed-up of this suite, the tokens that each model
computes, with and without padding, and both scores. The default tasks are STS13Local, whose texts hardly
repeat, if E2RANK_DATA has its files; a classification of news; and LeeRetrieval, whose queries are its
documents, so that this suite computes half of the tokens. Three rounds take about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mteb
import torch
from datasets import disable_progress_bars
from support.options import options

from e2rank_eval.datasets.loading import own_folder
from e2rank_eval.models.engines.transformers_encoder import TransformersBackbone
from e2rank_eval.models.loading import Models
from e2rank_eval.models.references import Catalogue
from e2rank_eval.mteb_suite.encoder import load_mteb_encoder
from e2rank_eval.mteb_suite.local_tasks import local_task

MODEL = "all-minilm-l6-v2"


class Counter:
    """Counts the tokens of a transformer's forward passes."""

    def __init__(self, model: Any) -> None:
        self.padded = self.real = 0
        model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, _module: object, given: tuple[Any, ...], named: dict[str, torch.Tensor]) -> None:
        features = named or given[0]
        self.padded += features["input_ids"].numel()
        mask = features.get("attention_mask")
        self.real += features["input_ids"].numel() if mask is None else int(mask.sum())


def timed(model: Any, task: str, cache: Path) -> tuple[float, float]:
    """Return the seconds of the evaluation, without loading data, and the score."""
    loaded = local_task(task, cache)
    loaded.load_data()
    start = time.perf_counter()
    result = mteb.evaluate(model, loaded, cache=None, co2_tracker=False, show_progress_bar=False)
    return time.perf_counter() - start, 100 * float(result.task_results[0].get_score())


def backbone_of(adapter: Any) -> TransformersBackbone:
    """Return the engine of an adapter, below the vector cache."""
    backbone: TransformersBackbone = adapter._encoder._encoder.backbone
    return backbone


def main() -> None:
    parser = options(__doc__, rounds=3, threads=1)
    tasks = ["ReutersR8Classification", "LeeRetrieval"]
    if own_folder("sts") is not None:
        tasks.insert(0, "STS13Local")
    parser.add_argument("--tasks", nargs="+", default=tasks, help="of the suite's own; default: %(default)s")
    arguments = parser.parse_args()
    disable_progress_bars()
    torch.set_num_threads(arguments.threads)
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(Catalogue(arguments.cache).examine(MODEL).path), device="cpu")
    theirs = Counter(peer[0])
    for task in arguments.tasks:
        compare(task, peer, theirs, arguments)


def compare(task: str, peer: Any, theirs: Counter, arguments: argparse.Namespace) -> None:
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    scores: dict[str, float] = {}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:  # a fresh cache of vectors in every round
            for name in ("models", "downloads"):
                (Path(folder) / name).symlink_to((arguments.cache / name).resolve())
            ours = load_mteb_encoder(MODEL, Models(Path(folder), threads=arguments.threads))
            mine = Counter(backbone_of(ours).model)
            theirs.padded = theirs.real = 0
            runs: dict[str, Callable[[], tuple[float, float]]] = {
                "ours": lambda ours=ours: timed(ours, task, arguments.cache),
                "theirs": lambda: timed(peer, task, arguments.cache),
            }
            for name, run in runs.items():
                seconds, scores[name] = run()
                times[name].append(seconds)
    own, other = (statistics.median(times[name]) for name in ("ours", "theirs"))
    print(
        f"{task}: ours {own:.2f} s, sentence-transformers {other:.2f} s, speed-up {other / own:.2f}; "
        f"tokens {ours.take_usage().forward_tokens} against {theirs.real}, padded {mine.padded} against "
        f"{theirs.padded}; scores {scores['ours']:.2f} and {scores['theirs']:.2f}"
    )


if __name__ == "__main__":
    main()
