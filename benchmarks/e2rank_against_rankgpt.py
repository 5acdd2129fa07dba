"""E2Rank against RankGPT-style listwise reranking on one base model: the paper's claim, at equal work.

Usage: python benchmarks/e2rank_against_rankgpt.py [--rounds 3] [--threads 2] [--candidates 100]
       [--tokens 128]

SmolLM2-135M, 100 candidates of 128 tokens, window 20, step 10, and exactly 90 generated tokens per window.
Beside each ratio is its upper bound from token counts: prompts and documents at the prefill throughput,
generated tokens at the decode throughput, both measured in the same run on RankGPT's window. gpu_latency.py
measures a model of the paper's size.
For a short trial: --candidates 30 --tokens 32 --rounds 1.
"""

from __future__ import annotations

import argparse
from itertools import cycle, islice
from typing import Any

from support.options import options
from support.random_models import ExactLength
from support.texts import candidate_list, docstrings
from support.turns import medians

from e2rank_eval.models.loading import Models
from e2rank_eval.records import CandidateList, Query
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings
from e2rank_eval.rerankers.families.listwise import ListwiseReranker, ListwiseSettings

MODEL = "smollm2-135m-instruct-q4"
WINDOW, STEP, WRITTEN = 20, 10, 90
QUERY = Query("q", "how to wait for several tasks at once")


def candidates_of(model: Any, count: int, tokens: int) -> CandidateList:
    """Return ``count`` different texts of ``tokens`` tokens, cut from concatenated docstrings."""
    words = cycle(" ".join(docstrings(1000)).split())
    texts = (model.truncate(" ".join(islice(words, 2 * tokens)), tokens) for _ in range(count))
    return candidate_list(QUERY.id, texts)


def measure(given: argparse.Namespace) -> None:
    models = Models(given.cache, threads=given.threads, vector_cache=False)
    language_model = models.language_model(MODEL)
    candidates = candidates_of(language_model, given.candidates, given.tokens)
    exact = ExactLength(language_model, WRITTEN)
    rankgpt = ListwiseReranker(
        exact, ListwiseSettings(family="listwise", model=MODEL, window=WINDOW, step=STEP)
    )
    settings = E2RankSettings(family="e2rank", model=MODEL, prompt_documents=WINDOW)
    online, stored = (E2RankReranker(models.encoder(MODEL), settings) for _ in range(2))
    stored.encode_documents(candidates.documents)
    first_window = CandidateList(QUERY.id, candidates.candidates[:WINDOW])
    listed = rankgpt.rank_candidates([QUERY], [first_window])[0].stats.prompt
    chats = [[{"role": "user", "content": str(listed)}]]
    found: dict[str, Any] = {}

    def rank(name: str, reranker: Any) -> None:
        found[name] = reranker.rank_candidates([QUERY], [candidates])[0].stats

    works = {
        "RankGPT-style": lambda: rank("RankGPT-style", rankgpt),
        "E2Rank online": lambda: rank("E2Rank online", online),
        "E2Rank stored": lambda: rank("E2Rank stored", stored),
        "reading": lambda: language_model.next_token(chats, ["A", "B"]),
        "reading and writing": lambda: exact.generate(chats),
    }
    seconds = medians(works, given.rounds)
    report(
        seconds,
        found,
        language_model.count_prompt_tokens(chats[0]),
        models.catalogue.entry(MODEL).title,
        given,
    )


def report(
    seconds: dict[str, float], found: dict[str, Any], window_tokens: int, title: str, given: Any
) -> None:
    listwise = found["RankGPT-style"]
    assert listwise.output_tokens == WRITTEN * listwise.calls, "a window's answer was cut short"
    per_token = seconds["reading"] / window_tokens
    per_written = (seconds["reading and writing"] - seconds["reading"]) / WRITTEN
    allowed = listwise.prompt_tokens * per_token + listwise.output_tokens * per_written
    print(
        f"{title}, {given.candidates} candidates of {given.tokens} tokens, {given.threads} threads, "
        f"medians of {given.rounds} rounds; reads {1 / per_token:,.0f} and writes {1 / per_written:,.1f} "
        "tokens/s"
    )
    for name, stats in found.items():
        print(
            f"  {name:14} {seconds[name]:8.2f} s, {stats.calls} calls, tokens: "
            f"{stats.prompt_tokens:,} prompt, {stats.document_tokens:,} documents, "
            f"{stats.output_tokens:,} written"
        )
    for name, goal in (("E2Rank online", 3), ("E2Rank stored", 17)):
        stats = found[name]
        ceiling = allowed / ((stats.prompt_tokens + stats.document_tokens) * per_token)
        ratio = seconds["RankGPT-style"] / seconds[name]
        print(f"{name}: speed-up over RankGPT-style {ratio:.2f}x, upper bound {ceiling:.2f}x; goal {goal}")


def main() -> None:
    measure(options(__doc__, candidates=100, tokens=128, rounds=3).parse_args())


if __name__ == "__main__":
    main()
