"""E2Rank in this suite's engine against a straightforward implementation, on candidates of mixed length.

Usage: python benchmarks/e2rank_engine.py [--candidates 100] [--rounds 3] [--threads 2] [--model NAME]

Baseline: unmodified transformers, candidates in first-stage order, batches of 16 padded to the longest, then
the listwise prompt. Texts are docstrings of the standard library; the prompt lists 20 of the candidates.
The implementations take turns in one run. Printed are ratios of their medians, each with the ratio of the
tokens that they compute (with padding for the baseline; the engine has none): an upper bound for
any engine with the same kernels.
For a short trial: --candidates 16 --rounds 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from support.options import options
from support.texts import candidate_list, docstrings
from support.turns import medians
from transformers import AutoModel, AutoTokenizer

from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.encoders.prompts import render_listwise
from e2rank_eval.models.loading import Models
from e2rank_eval.models.truncation import cut_words
from e2rank_eval.records import Query
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings

PROMPT_DOCUMENTS = 20
QUERY = Query("q", "how to wait for several tasks at once")


class Baseline:
    """E2Rank without length buckets, token budget or reuse of vectors."""

    def __init__(self, folder: Path, end_of_text: str, batch: int) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", local_files_only=True)
        self._tokenizer.pad_token = self._tokenizer.pad_token or end_of_text
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        self._model = self._model.to(device).eval()
        self._end_of_text = end_of_text
        self._batch = batch
        self.padded_tokens = 0

    @torch.inference_mode()
    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        found = []
        for start in range(0, len(texts), self._batch):
            inputs = self._tokenizer(
                list(texts[start : start + self._batch]), padding=True, return_tensors="pt"
            )
            self.padded_tokens += inputs["input_ids"].numel()
            states = self._model(**inputs.to(self._model.device)).last_hidden_state[:, -1]
            found.append(torch.nn.functional.normalize(states, dim=1).float().cpu().numpy())
        return np.concatenate(found)

    def scores(self, query: str, documents: Sequence[str]) -> np.ndarray:
        self.padded_tokens = 0
        vectors = self._embed([f"{text}{self._end_of_text}" for text in documents])
        listed = documents[:PROMPT_DOCUMENTS]
        content = render_listwise("eval", query, listed, end_of_text=self._end_of_text)
        prompt = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        return vectors @ self._embed([prompt])[0]


def main() -> None:
    parser = options(__doc__, candidates=100, rounds=3)
    parser.add_argument("--model", default="smollm2-135m-instruct-q4", help="a decoder of the registry")
    given = parser.parse_args()
    models = Models(given.cache, threads=given.threads, vector_cache=False)
    model = models.catalogue.examine(given.model)
    loadable = loadable_folder(model.path, model.entry.format)
    settings = E2RankSettings(family="e2rank", model=given.model, prompt_documents=PROMPT_DOCUMENTS)
    online, stored = (E2RankReranker(models.encoder(given.model), settings) for _ in range(2))
    baseline, single = (Baseline(loadable, str(model.entry.end_of_text), size) for size in (16, 1))
    texts = [cut_words(text.strip()) for text in docstrings(given.candidates)]
    candidates = candidate_list(QUERY.id, texts)
    stored.encode_documents(candidates.documents)

    ranking = online.rank_candidates([QUERY], [candidates])[0]
    theirs = single.scores(QUERY.text, texts)
    difference = float(np.abs(np.array(ranking.stats.scores) - theirs).max())
    works = {
        "online": lambda: online.rank_candidates([QUERY], [candidates])[0],
        "stored": lambda: stored.rank_candidates([QUERY], [candidates])[0],
        "baseline": lambda: baseline.scores(QUERY.text, texts),
        "one by one": lambda: single.scores(QUERY.text, texts),
    }
    seconds = medians(works, given.rounds)
    prompt = ranking.stats.prompt_tokens
    tokens = {
        "online": ranking.stats.document_tokens + prompt,
        "stored": prompt,
        "baseline": baseline.padded_tokens,
        "one by one": single.padded_tokens,
    }
    print(
        f"{given.model}, {len(texts)} candidates of {min(map(len, texts))} to {max(map(len, texts))} "
        f"characters, {PROMPT_DOCUMENTS} in the prompt, {given.threads} threads, "
        f"medians of {given.rounds} rounds; "
        f"largest difference of a cosine from one by one: {difference:.1e}"
    )
    for name, spent in seconds.items():
        print(f"  {name:10} {spent:8.2f} s {tokens[name]:8,} tokens")
    for slow, fast, goal in (
        ("baseline", "online", "goal 2.5"),
        ("online", "stored", "goal 80 % of the tokens' ratio"),
        ("baseline", "stored", "no goal"),
        ("one by one", "online", "no goal"),
    ):
        ratio, ceiling = seconds[slow] / seconds[fast], tokens[slow] / tokens[fast]
        print(f"{slow} / {fast}: {ratio:.2f}x, upper bound {ceiling:.2f}x ({ratio / ceiling:.0%}); {goal}")


if __name__ == "__main__":
    main()
