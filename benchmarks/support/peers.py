"""Strategies of rank_llm and llm4ranking as plain functions, without their packages' other imports.

Both packages import engines, servers' clients and vLLM before their strategies can be named. The strategies
need none of it, so the modules are loaded from the installed files without the packages' ``__init__``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
import types
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

Answer = Callable[[Sequence[tuple[int, list[int]]]], Sequence[str]]
"""Generates the answer for each (list, window of positions): ``[2] > [1]``, numbered within the window."""

IsBetter = Callable[[int, int], bool]
"""Whether the first position is preferred to the second."""


def rank_llm_sliding(count: int, lists: int, answer: Answer, size: int, step: int) -> list[list[int]]:
    """rank_llm's ``sliding_windows_batched`` over lists of ``count`` documents, and its parsing."""
    listwise = _module("rank_llm", "rerank.listwise.listwise_rankllm", bare=("rerank", "rerank.listwise"))

    class Coordinator(listwise.ListwiseRankLLM):
        def create_prompt(self, result: Any, start: int, end: int) -> tuple[Any, int]:
            window = [candidate.docid for candidate in result.candidates[start:end]]
            return (result.query.qid, window), 0

        def create_prompt_batched(self, results: Any, start: int, end: int) -> list[tuple[Any, int]]:
            return [self.create_prompt(result, start, end) for result in results]

        def run_llm_batched(self, prompts: Any, **_: Any) -> list[tuple[str, int]]:
            return [(text, 0) for text in answer(prompts)]

        run_llm = rerank_batch = get_num_tokens = cost_per_1k_token = num_output_tokens = None

    coordinator = _quietly(
        Coordinator, model="peer", context_size=0, window_size=size, stride=step, **_wording()
    )
    requests = [_request(number, count) for number in range(lists)]
    found = coordinator.sliding_windows_batched(requests, 0, count, count)
    return [[candidate.docid for candidate in result.candidates] for result in found]


def rank_llm_all_pairs(count: int, is_better: IsBetter) -> list[int]:
    """rank_llm's pairwise order: every pair once, by the sum of each document's wins."""
    pairwise = _module("rank_llm", "rerank.pairwise.pairwise_rankllm", bare=("rerank", "rerank.pairwise"))

    class Coordinator(pairwise.PairwiseRankLLM):
        def create_prompt(self, result: Any, index1: int, index2: int) -> tuple[Any, int]:
            return (result.candidates[index1].docid, result.candidates[index2].docid), 0

        def run_llm_batched(self, prompts: Any) -> Any:
            return [], [], [float(is_better(*prompt)) for prompt in prompts]

        run_llm = get_num_tokens = cost_per_1k_token = num_output_tokens = None

    coordinator = _quietly(Coordinator, model="peer", context_size=0, **_wording())
    with contextlib.redirect_stderr(io.StringIO()):
        (result,) = coordinator.rerank_batch([_request(0, count)])
    return [candidate.docid for candidate in result.candidates]


def llm4ranking_sliding(
    count: int, order: Callable[[list[int]], list[int]], size: int, step: int
) -> list[int]:
    """llm4ranking's ``ListwiseSlidingWindow``; ``order`` ranks a window's places, numbered from 0."""
    policy = types.SimpleNamespace(
        model_kind="listwise", rank=lambda _, window, **__: order([int(text) for text in window])
    )
    strategy = _llm4ranking().ListwiseSlidingWindow()
    return strategy.rerank("", _names(count), policy, window_size=size, step=step).indices


def llm4ranking_bubble(count: int, is_better: IsBetter, passes: int) -> list[int]:
    return (
        _llm4ranking()
        .PairwiseBubbleSort()
        .rerank("", _names(count), _comparing(is_better), topk=passes)
        .indices
    )


def llm4ranking_heap(count: int, is_better: IsBetter, top: int) -> list[int]:
    return (
        _llm4ranking().PairwiseHeapSort().rerank("", _names(count), _comparing(is_better), topk=top).indices
    )


@cache
def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@cache
def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0])


def _comparing(is_better: IsBetter) -> Any:
    def compare(_: str, one: str, other: str, **__: Any) -> int:
        return 1 if is_better(int(one), int(other)) else -1

    return types.SimpleNamespace(model_kind="pairwise", compare=compare)


def _names(count: int) -> list[str]:
    return [str(position) for position in range(count)]


def _llm4ranking() -> Any:
    return _module("llm4ranking", "strategy.base", bare=("strategy", "policy"))


def _module(package: str, name: str, *, bare: Sequence[str]) -> Any:
    """Import ``package.name`` without running ``__init__`` of ``package`` and of the packages in ``bare``."""
    root = _folder(package)
    for part in ("", *bare):
        qualified = f"{package}.{part}" if part else package
        if qualified not in sys.modules:
            empty = types.ModuleType(qualified)
            empty.__path__ = [str(root.joinpath(*part.split(".")))]
            sys.modules[qualified] = empty
    return importlib.import_module(f"{package}.{name}")


def _request(number: int, count: int) -> Any:
    data = _module("rank_llm", "data", bare=())
    candidates = [data.Candidate(position, float(-position), {"text": ""}) for position in range(count)]
    return data.Request(data.Query("", number), candidates)


def _wording() -> dict[str, str]:
    """A required template, which is not used here."""
    template = _folder("rank_llm") / "rerank/prompt_templates/rank_zephyr_template.yaml"
    return {"prompt_template_path": str(template)}


def _quietly(make: Callable[..., Any], **options: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        make.__abstractmethods__ = frozenset()
        return make(**options)
