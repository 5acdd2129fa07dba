"""Agreement of scores and rankings between a GPU and the CPU, in float32, for all in-process families.

Usage: python benchmarks/gpu_agreement.py --tokenizer FOLDER [--lists FILE] [--output FILE.json]
       [--queries 4] [--candidates 30]

For each system it prints the largest difference of a score, relative to the range of its list (goal: at most
1e-3); the number of lists in the same order; and for the other lists the largest inversion, also relative to
the range (an inversion below the rounding step of the scores is a tie). It also checks whether a document's
vector is bit-identical in any batch. Checkpoints are MiniLM and SPLADE-tiny, if in the cache, and small ones
with random weights: a Qwen3 with the tokenizer in FOLDER, and a BERT. Texts are those of ``--lists``
(training lists), or docstrings. The CPU side runs in a process without a GPU; on a machine without a GPU, the
CPU is compared with itself.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import transformers
from support.options import options, with_qwen3
from support.random_models import SMALL, WIDE, write_cross_encoder, write_qwen3
from support.texts import work_of

from e2rank_eval.evaluation.machine import device_name
from e2rank_eval.evaluation.samples import Work
from e2rank_eval.models.checkpoints import device
from e2rank_eval.models.encoders.sparse import load_sparse_encoder
from e2rank_eval.models.loading import load_encoder, load_language_model
from e2rank_eval.models.registry import ModelEntry, ResolvedModel, registered_model
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.families.cross_encoder import (
    CrossEncoderReranker,
    CrossEncoderSettings,
    load_cross_encoder,
)
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings
from e2rank_eval.rerankers.families.listwise import FirstToken
from e2rank_eval.rerankers.families.pointwise import (
    PointwiseReranker,
    PointwiseSettings,
    QueryLikelihoodReranker,
)
from e2rank_eval.rerankers.families.separate import SeparateReranker, SparseSettings
from e2rank_eval.rerankers.prompts import LETTERS
from e2rank_eval.rerankers.scores import COSINE_STEP, LOGIT_STEP, order_by_score

MINILM, SPLADE, QWEN3, BERT = "all-minilm-l6-v2", "splade-tiny-msmarco", "random-qwen3", "random-bert"
GOAL, WINDOW = 1e-3, 20


@dataclass(frozen=True, slots=True)
class Given:
    """Folders of the available checkpoints by name, and the lists to rank."""

    folders: dict[str, Path]
    work: list[Work]


Ranked = tuple[tuple[int, ...], tuple[float, ...]]
"""The order of one list, and the scores in first-stage order."""


def ranked(reranker: Reranker, given: Given) -> list[Ranked]:
    queries, lists = zip(*given.work, strict=True)
    rankings = reranker.rank_candidates(queries, lists)
    return [(one.order, one.stats.scores or ()) for one in rankings]


def loaded_encoder(name: str, given: Given) -> Any:
    entry = registered_model(MINILM if name == MINILM else "qwen3-0.6b")
    entry = entry.model_copy(update={"dtype": "float32"})
    return load_encoder(given.folders[name], entry, file_hashes={})


def e2rank(name: str, given: Given, **settings: Any) -> list[Ranked]:
    chosen = E2RankSettings(family="e2rank", model=name, **settings)
    return ranked(E2RankReranker(loaded_encoder(name, given), chosen), given)


def same_bits(name: str, given: Given) -> bool:
    """Return whether documents have bit-identical vectors together and one at a time."""
    texts = [document.contents for document in given.work[0][1].documents]
    encoder = loaded_encoder(name, given)
    alone = [encoder.encode([text], "document").vectors[0] for text in texts]
    return bool(np.array_equal(encoder.encode(texts, "document").vectors, np.stack(alone)))


def resolved(name: str, entry: ModelEntry, given: Given) -> ResolvedModel:
    folder = given.folders[name]
    return ResolvedModel(name, entry, folder, {}, str(folder), None, (entry.kind,), {})


def sparse(given: Given) -> list[Ranked]:
    found = resolved(SPLADE, registered_model(SPLADE), given)
    settings = SparseSettings(family="sparse", model=SPLADE)
    return ranked(SeparateReranker(load_sparse_encoder(found), settings), given)


def cross_encoder(given: Given) -> list[Ranked]:
    settings = CrossEncoderSettings(family="cross-encoder", model=BERT)
    entry = registered_model(MINILM).model_copy(update={"kind": "cross-encoder"})
    model = load_cross_encoder(resolved(BERT, entry, given))
    return ranked(CrossEncoderReranker(model, settings, file_hashes={}), given)


def language_model(given: Given) -> Any:
    entry = registered_model("qwen3-0.6b").model_copy(update={"dtype": "float32"})
    return load_language_model(given.folders[QWEN3], entry, file_hashes={})


def pointwise(family: type[PointwiseReranker], prompt: Any, given: Given) -> list[Ranked]:
    settings = PointwiseSettings(family="pointwise-llm", model=QWEN3, prompt=prompt)
    return ranked(family(language_model(given), settings), given)


def listwise(given: Given) -> list[Ranked]:
    """Rank the first window of each list by the logits of its identifiers, as FIRST does."""
    model = language_model(given)
    asked = [(query.text, [d.contents for d in listed.documents[:WINDOW]]) for query, listed in given.work]
    chats = [FirstToken(model).messages(*one) for one in asked]
    logits = model.next_token(chats, tuple(LETTERS[: len(asked[0][1])])).logits
    return [order_by_score(one, LOGIT_STEP) for one in logits]


SYSTEMS: dict[str, tuple[str, float, Callable[[Given], list[Ranked]]]] = {
    "MiniLM query-only": (MINILM, COSINE_STEP, partial(e2rank, MINILM, prompt="query-only")),
    "MiniLM E2Rank pure, 10": (MINILM, COSINE_STEP, partial(e2rank, MINILM, prompt_documents=10)),
    "MiniLM E2Rank residual, 3": (
        MINILM, COSINE_STEP, partial(e2rank, MINILM, prompt_documents=3, combination="residual"),
    ),
    "Qwen3 E2Rank pure, 20": (QWEN3, COSINE_STEP, partial(e2rank, QWEN3)),
    "Qwen3 E2Rank residual, 3": (
        QWEN3, COSINE_STEP, partial(e2rank, QWEN3, prompt_documents=3, combination="residual"),
    ),
    "SPLADE-tiny": (SPLADE, COSINE_STEP, sparse),
    "Qwen3 pointwise": (QWEN3, LOGIT_STEP, partial(pointwise, PointwiseReranker, "yes-no")),
    "Qwen3 query likelihood": (
        QWEN3, LOGIT_STEP, partial(pointwise, QueryLikelihoodReranker, "query-likelihood"),
    ),
    "Qwen3 listwise logits": (QWEN3, LOGIT_STEP, listwise),
    "BERT cross-encoder": (BERT, LOGIT_STEP, cross_encoder),
}  # fmt: skip
"""By name: the checkpoint, the rounding step of scores, and the ranker."""


def run(name: str, given: Given) -> list[Ranked]:
    return SYSTEMS[name][2](given)


@contextmanager
def cpu_process(threads: int) -> Iterator[Executor]:
    """Yield a pool of one process without a GPU."""
    with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        with mock.patch.dict(os.environ, CUDA_VISIBLE_DEVICES=""):
            place = pool.submit(
                device
            ).result()  # the process starts here, and this one may still see its GPU
        assert place == "cpu", f"the process without a GPU runs models on {place}"
        yield pool


def compare(name: str, given: Given, cpu: Executor) -> dict[str, Any]:
    """Return the row of one system; with ``same_bits``, for the first system of each encoder."""
    model, step, _ = SYSTEMS[name]
    if model not in given.folders:
        return {"system": name, "skipped": f"{model} is not here"}
    later = cpu.submit(run, name, given)
    here = run(name, given)
    both = list(zip(later.result(), here, strict=True))
    row = {
        "system": name,
        "lists": len(both),
        "difference": max(difference(cpu, gpu) for (_, cpu), (_, gpu) in both),
        "same_order": sum(cpu == gpu for (cpu, _), (gpu, _) in both),
        "inversion": max(inversion(scores, order) for (_, scores), (order, _) in both),
        "step": step,
    }
    if name in ("MiniLM query-only", "Qwen3 E2Rank pure, 20"):
        row["same_bits"] = same_bits(model, given)
    return row


def difference(cpu: Sequence[float], gpu: Sequence[float]) -> float:
    return float(np.abs(np.subtract(cpu, gpu)).max() / np.ptp(cpu))


def inversion(scores: Sequence[float], order: Sequence[int]) -> float:
    """Return the largest excess of a score over one that ``order`` ranks above it, relative to the range."""
    along = np.asarray(scores)[list(order)]
    return float((along - np.minimum.accumulate(along)).max() / np.ptp(along))


def checkpoints(cache: Path, tokenizer: Path, written: Path) -> dict[str, Path]:
    """Return the folders of the available checkpoints; writes the random ones."""
    folders = {name: cache / "models" / name for name in (MINILM, SPLADE)}
    folders = {name: folder for name, folder in folders.items() if (folder / "config.json").is_file()}
    small = SMALL | {"num_key_value_heads": 2, "head_dim": 64, "initializer_range": WIDE}
    folders[QWEN3] = write_qwen3(written / QWEN3, tokenizer, torch.float32, **small)
    if MINILM in folders and find_spec("sentence_transformers"):
        folders[BERT] = write_cross_encoder(written / BERT, folders[MINILM])
    return folders


def printed(row: dict[str, Any]) -> str:
    if "skipped" in row:
        return f"| {row['system']} | skipped: {row['skipped']} | | | |"
    verdict = "yes" if row["difference"] <= GOAL and row["inversion"] <= GOAL else "no"
    bits = {True: "; bits alone as together", False: "; bits differ alone"}.get(row.get("same_bits"), "")
    return (
        f"| {row['system']} | {row['difference']:.1e} | {row['same_order']} of {row['lists']} "
        f"| {row['inversion']:.1e} | {verdict}{bits} |"
    )


def main() -> None:
    asked = with_qwen3(options(__doc__, threads=4, queries=4, candidates=30))
    if asked is None:
        return
    work = work_of(asked.lists, asked.queries, asked.candidates)
    with tempfile.TemporaryDirectory() as written, cpu_process(asked.threads) as cpu:
        given = Given(checkpoints(asked.cache, asked.tokenizer, Path(written)), work)
        print(f"{device_name()} against the CPU, {asked.queries} lists of {asked.candidates}")
        print("| system | largest difference | same order | largest inversion | within 1e-3 |")
        print("|---|---|---|---|---|")
        rows = []
        for name in SYSTEMS:
            rows.append(compare(name, given, cpu))
            print(printed(rows[-1]), flush=True)
            if asked.output:
                versions = {one.__name__: one.__version__ for one in (torch, transformers)}
                facts = {"device": device_name(), **versions, "candidates": asked.candidates, "rows": rows}
                asked.output.write_text(json.dumps(facts, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
