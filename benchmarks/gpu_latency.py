"""The paper's latency ratios on a model of Qwen3-0.6B's shape: RankGPT-style reranking against E2Rank.

Usage: python benchmarks/gpu_latency.py --tokenizer FOLDER [--lists FILE] [--output FILE.json]
       [--seconds 300] [--queries 4] [--rounds 8] [--candidates 100] [--layers 28] [--hidden 1024]

The weights are random (the work is the same), bfloat16 on a GPU and float32 on a CPU; FOLDER has a Qwen3
tokenizer. Texts are those of ``--lists`` (training lists), uncut, or docstrings. As in the suite's protocol,
three systems take turns on the same query: RankGPT-style (window 20, step 10), E2Rank with documents encoded
online, and E2Rank with stored vectors (20 documents in the prompt). A random model generates no permutation,
so each answer is forced to the length of a full one. Before timing, every system ranks every query, since a
GPU's libraries are slower at each new sequence length. No round begins that would end more than ``--seconds``
after loading began. From 8 rounds on, ratios are medians of paired ratios with 95 % bootstrap intervals;
beside them are the paper's, measured with TREC-COVID on one A100.
"""

from __future__ import annotations

import json
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from support.options import options, with_qwen3
from support.random_models import QWEN3_06B, ExactLength, write_qwen3
from support.texts import work_of

from e2rank_eval.evaluation import machine
from e2rank_eval.evaluation.samples import (
    FEWEST_SAMPLES,
    Sample,
    System,
    Work,
    columns,
    mean_tokens,
    paired_ratio,
    percentile,
    take_turns,
    time_call,
)
from e2rank_eval.models.loading import load_encoder, load_language_model
from e2rank_eval.models.registry import registered_model
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings
from e2rank_eval.rerankers.families.listwise import ListwiseReranker, ListwiseSettings

MODEL, WINDOW, STEP, SEED = "qwen3-0.6b", 20, 10, 13
NAMES = ("RankGPT-style", "E2Rank online", "E2Rank stored")
PAPER = dict(zip(NAMES, (4.58, 0.63, 0.13), strict=True))
"""Seconds per query of RankQwen3-0.6B (table 13), of E2Rank-0.6B and of all but its documents (table 12)."""


def systems_of(folder: Path) -> tuple[list[System], int]:
    """Return the systems on one base model, and the number of tokens of an answer."""
    entry = registered_model(MODEL)
    model = load_language_model(folder, entry, file_hashes={})
    written = model.count_tokens(" > ".join(f"[{number}]" for number in range(1, WINDOW + 1))) + 1
    chosen = ListwiseSettings(family="listwise", model=MODEL, window=WINDOW, step=STEP)
    settings = E2RankSettings(family="e2rank", model=MODEL, prompt_documents=WINDOW)
    encoder = load_encoder(folder, entry, file_hashes={})
    return [
        System(NAMES[0], "online", chosen, ListwiseReranker(ExactLength(model, written), chosen)),
        System(NAMES[1], "online", settings, E2RankReranker(encoder, settings)),
        System(NAMES[2], "stored", settings, E2RankReranker(encoder, settings)),
    ], written


def warm_up(systems: Sequence[System], work: Sequence[Work]) -> None:
    for system in systems:
        system.prepare([[pair] for pair in work])
        for pair in work:
            time_call(system.model, [pair])


def timed(system: System, work: Sequence[Work], memory: dict[str, int], number: int) -> Sample:
    """Rank one query; on a GPU, record in ``memory`` the peak beyond the memory held before the call."""
    gpu = machine.cuda()
    before = gpu.memory_allocated() if gpu else 0
    peak = machine.PeakMemory()
    sample = time_call(system.model, [work[number % len(work)]])
    if gpu:
        memory[system.reranker] = max(memory.get(system.reranker, 0), (peak.bytes() or 0) - before)
    return sample


def summary(
    system: System, samples: Sequence[Sample], baseline: Sequence[Sample], memory: dict[str, int]
) -> dict[str, Any]:
    own, slowest = ([one.wall["total"] for one in each] for each in (samples, baseline))
    ratio = paired_ratio(slowest, own, seed=SEED)
    return {
        "percentiles": {p: percentile(own, p) for p in FEWEST_SAMPLES},
        "ratio": ratio and {"median": ratio.value, "interval": ratio.interval, "printed": ratio.narrow},
        "paper_seconds": PAPER[system.reranker],
        "paper_ratio": PAPER[NAMES[0]] / PAPER[system.reranker],
        "calls": [one.rankings[0].stats.calls for one in samples],
        "peak_bytes_beyond_models": memory.get(system.reranker),
        "seconds": columns(samples),
        **mean_tokens(samples),
    }


def table(record: dict[str, Any]) -> str:
    lines = [
        f"{record['device']}, {record['dtype']}, torch {record['torch']}, transformers "
        f"{record['transformers']}; {record['rounds']} rounds over {record['queries']} queries, "
        f"{record['answer_tokens']} tokens an answer",
        "| system | median s | documents s | prompt s | tokens read / written | peak beyond models "
        "| RankGPT-style / it | paper |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in record["systems"].items():
        phases = {
            phase: f"{percentile(seconds, 50):.4f}" for phase, seconds in one["seconds"]["wall"].items()
        }
        found, peak = one["ratio"], one["peak_bytes_beyond_models"]
        ratio = "fewer than 8 pairs"
        if found:
            low, high = found["interval"]
            ratio = f"{found['median']:.2f} [{low:.2f}, {high:.2f}]" if found["printed"] else "times vary"
        lines.append(
            f"| {name} | {phases['total']} | {phases.get('documents', '')} | {phases.get('prompt', '')} "
            f"| {one['prompt_tokens'] + one['document_tokens']:,.0f} / {one['output_tokens']:,.0f} "
            f"| {'' if peak is None else f'{peak / 2**30:.2f} GiB'} | {ratio} | {one['paper_ratio']:.1f} |"
        )
    return "\n".join(lines)


def measure(folder: Path, given: Namespace) -> dict[str, Any]:
    started = time.monotonic()
    work = work_of(given.lists, given.queries, given.candidates)
    systems, written = systems_of(folder)
    loaded = time.monotonic()
    warm_up(systems, work)
    memory: dict[str, int] = {}
    turns = [partial(timed, system, work, memory) for system in systems]
    found = take_turns(turns, given.rounds, deadline=started + given.seconds, description="time")
    return {
        "device": machine.device_name(),
        "dtype": "bfloat16" if machine.cuda() else "float32",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "queries": min(len(work), len(found[0])),
        "rounds": len(found[0]),
        "answer_tokens": written,
        "load_seconds": loaded - started,
        "systems": {
            system.reranker: summary(system, samples, found[0], memory)
            for system, samples in zip(systems, found, strict=True)
        },
    }


def main() -> None:
    shape = {"layers": QWEN3_06B["num_hidden_layers"], "hidden": QWEN3_06B["hidden_size"]}
    given = with_qwen3(options(__doc__, queries=4, rounds=8, candidates=100, seconds=300, **shape))
    if given is None:
        return
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        chosen = {"num_hidden_layers": given.layers, "hidden_size": given.hidden}
        write_qwen3(Path(folder), given.tokenizer, torch.bfloat16, **chosen)
        record = measure(Path(folder), given)
    if given.output:
        given.output.write_text(json.dumps(record, indent=2), encoding="utf-8")
    print(table(record))


if __name__ == "__main__":
    main()
