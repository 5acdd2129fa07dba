"""E2Rank against RankGPT-style listwise reranking on one base model: the paper's claim, at equal work.

Usage: python benchmarks/e2rank_against_rankgpt.py [--rounds 3] [--threads 2] [--candidates 100]
       [--tokens 128]

100 candidates of 128 tokens, window 20, step 10, and exactly 90 generated tokens per window. On a CPU the
model is SmolLM2-135M. On a GPU it is of Qwen3-0.6B's shape with random weights (the work is the same), and
the ratios are printed beside the paper's 7.3 online and 35 stored (table 12 and 13: one A100, TREC-COVID).
Beside each ratio is the upper bound from token counts: prompts and documents at the prefill throughput,
generated tokens at the decode throughput, both measured in the same run on RankGPT's own window.
A short try: --candidates 30 --tokens 32 --rounds 1.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from support.options import options
from support.texts import docstrings
from support.turns import medians

from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.language_models import Generation, Message
from e2rank_eval.models.loading import load_encoder, load_language_model
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import ModelEntry, registered_model
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings
from e2rank_eval.rerankers.families.listwise import ListwiseReranker, ListwiseSettings

MODEL = "smollm2-135m-instruct-q4"
WINDOW, STEP, WRITTEN = 20, 10, 90
QUERY = Query("q", "how to wait for several tasks at once")
QWEN3_06B = {
    "vocab_size": 151_936, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True,
    "max_position_embeddings": 40_960,
}  # fmt: skip
"""config.json of Qwen/Qwen3-0.6B."""


class ExactLength:
    """A language model that writes ``tokens`` tokens in every answer, whatever it is asked for."""

    def __init__(self, model: Any, tokens: int) -> None:
        self._model = model
        self._tokens = tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, chats: Sequence[Sequence[Message]], **_: int) -> list[Generation]:
        return self._model.generate(chats, max_new_tokens=self._tokens, min_new_tokens=self._tokens)


def random_qwen3(folder: Path, tokenizer: Path) -> ModelEntry:
    """Write a checkpoint of Qwen3-0.6B's shape with random weights, and SmolLM2's tokenizer beside it."""
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(13)
    Qwen3ForCausalLM(Qwen3Config(**QWEN3_06B)).to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer, local_files_only=True).save_pretrained(folder)
    changes = {"title": "random Qwen3-0.6B", "format": "transformers", "dtype": "bfloat16"}
    return registered_model(MODEL).model_copy(update=changes)


def candidates_of(model: Any, count: int, tokens: int) -> CandidateList:
    """Docstrings run together, cut into ``count`` different texts of ``tokens`` tokens each."""
    words = cycle(" ".join(docstrings(1000)).split())
    texts = (model.truncate(" ".join(islice(words, 2 * tokens)), tokens) for _ in range(count))
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    return CandidateList("q", tuple(Candidate(one, -float(one.id)) for one in documents))


def measure(folder: Path, entry: ModelEntry, given: argparse.Namespace) -> None:
    language_model = load_language_model(folder, entry, file_hashes={})
    candidates = candidates_of(language_model, given.candidates, given.tokens)
    exact = ExactLength(language_model, WRITTEN)
    rankgpt = ListwiseReranker(
        exact, ListwiseSettings(family="listwise", model=MODEL, window=WINDOW, step=STEP)
    )
    settings = E2RankSettings(family="e2rank", model=MODEL, prompt_documents=WINDOW)
    online, stored = (E2RankReranker(load_encoder(folder, entry, file_hashes={}), settings) for _ in range(2))
    stored.encode_documents(candidates.documents)
    first_window = CandidateList("q", candidates.candidates[:WINDOW])
    chats: list[Any] = []
    listed = rankgpt.rank_candidates([QUERY], [first_window])[0].stats.prompt
    chats.append([{"role": "user", "content": listed}])
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
    seconds = medians(works, given.rounds, warm_up=int(torch.cuda.is_available()))
    report(seconds, found, language_model.count_prompt_tokens(chats[0]), entry, given)


def report(
    seconds: dict[str, float], found: dict[str, Any], window_tokens: int, entry: ModelEntry, given: Any
) -> None:
    gpu = torch.cuda.is_available()
    listwise = found["RankGPT-style"]
    assert listwise.output_tokens == WRITTEN * listwise.calls, "a window's answer was cut short"
    per_token = seconds["reading"] / window_tokens
    per_written = (seconds["reading and writing"] - seconds["reading"]) / WRITTEN
    allowed = listwise.prompt_tokens * per_token + listwise.output_tokens * per_written
    where = torch.cuda.get_device_name() if gpu else f"{given.threads} threads"
    print(
        f"{entry.title}, {given.candidates} candidates of {given.tokens} tokens, {where}, medians of "
        f"{given.rounds} rounds; reads {1 / per_token:,.0f} and writes {1 / per_written:,.1f} tokens/s"
    )
    for name, stats in found.items():
        print(
            f"  {name:14} {seconds[name]:8.2f} s, {stats.calls} calls, tokens: "
            f"{stats.prompt_tokens:,} prompt, {stats.document_tokens:,} documents, "
            f"{stats.output_tokens:,} written"
        )
    for name, goal, paper in (("E2Rank online", 3, 7.3), ("E2Rank stored", 17, 35)):
        stats = found[name]
        ceiling = allowed / ((stats.prompt_tokens + stats.document_tokens) * per_token)
        beside = f"the paper, on its own data: {paper}" if gpu else f"goal {goal}"
        ratio = seconds["RankGPT-style"] / seconds[name]
        print(f"RankGPT-style / {name}: {ratio:.2f} times, token counts allow {ceiling:.2f}; {beside}")


def main() -> None:
    given = options(__doc__, candidates=100, tokens=128, rounds=3).parse_args()
    torch.set_num_threads(given.threads)
    entry = registered_model(MODEL)
    folder = Catalogue(given.cache).examine(MODEL).path
    if not torch.cuda.is_available():
        measure(folder, entry, given)
        print("skipped: Qwen3-0.6B's shape, beside the paper's 7.3 and 35: no GPU is seen here")
        return
    with tempfile.TemporaryDirectory() as written:
        qwen3 = random_qwen3(Path(written), loadable_folder(folder, entry.format))
        measure(Path(written), qwen3, given)


if __name__ == "__main__":
    main()
