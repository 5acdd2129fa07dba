"""E2Rank on real model code against the plain reference: cosines within 1e-4, the same rankings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest
from e2rank_reference import DecoderReference, PooledReference
from tiny_decoders import END_OF_TEXT, write_llama, write_qwen3
from toy_vectors import assert_ranked_by, candidate_list
from transformers import AutoModel, AutoTokenizer

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.models.registry import ModelEntry, registered_model
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings
from e2rank_eval.store.files import sha256_file

INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
PARAGRAPHS = [
    " ".join(part.split()[:60]) for text in topics.values() for part in text.split("\n\n") if len(part) > 150
]
"""English text that every Python has: its own language reference."""

QUERIES = [
    Query("q1", "how are exceptions handled"),
    Query("q2", "class attributes and methods"),
    Query("q3", "what does the import statement do when the module is in a package"),
]


def lists() -> list[CandidateList]:
    """14, 9 and 1 candidates, among them duplicates within and across queries."""
    first = [*PARAGRAPHS[0:24:2], PARAGRAPHS[2], PARAGRAPHS[4]]
    return [
        candidate_list(query.id, texts)
        for query, texts in zip(QUERIES, (first, PARAGRAPHS[4:22:2], PARAGRAPHS[:1]), strict=True)
    ]


@dataclass(frozen=True)
class Pair:
    """One model twice: in the suite (by prompt variant) and as the reference."""

    load: Callable[[str], Encoder]
    reference: DecoderReference | PooledReference


def _entry(name: str, kind: str, format: str, **fields: Any) -> ModelEntry:
    return ModelEntry.model_validate(
        {
            "title": name,
            "kind": kind,
            "format": format,
            "parameters": "few",
            "licence": "none",
            "sources": [{"kind": "hub", "repository": f"test/{name}", "revision": None}],
            "trained_for_embedding": False,
            "trained_for_e2rank": False,
            **fields,
        }
    )


def _loader(folder: Path, entry: ModelEntry) -> Callable[[str], Encoder]:
    hashes = {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.is_file()}

    def load(prompt: str) -> Encoder:
        return load_encoder(folder, entry, file_hashes=hashes, prompt=prompt, document_tokens=None)

    return load


def _decoder(folder: Path) -> Pair:
    entry = _entry(
        folder.name,
        "decoder",
        "transformers",
        window=8192,
        document_tokens=1024,
        query_tokens=512,
        end_of_text=END_OF_TEXT,
        query_instruction=INSTRUCTION,
    )
    return Pair(
        _loader(folder, entry), DecoderReference(folder, end_of_text=END_OF_TEXT, instruction=INSTRUCTION)
    )


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return _decoder(write_qwen3(tmp_path_factory.mktemp("qwen3"), PARAGRAPHS))


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return _decoder(write_llama(tmp_path_factory.mktemp("llama"), PARAGRAPHS))


@pytest.fixture(scope="session")
def minilm(minilm_path: Path) -> Pair:
    entry = registered_model("all-minilm-l6-v2")
    return Pair(
        _loader(minilm_path, entry),
        PooledReference(minilm_path, window=entry.window, document_tokens=entry.document_tokens),
    )


def reference_scores(
    reference: DecoderReference | PooledReference,
    query: Query,
    candidates: CandidateList,
    options: dict[str, Any],
) -> np.ndarray:
    texts = [document.contents for document in candidates.documents]
    if options.get("prompt") == "query-only":
        vector = reference.query(query.text)
    else:
        listed = texts[: options.get("prompt_documents", 20)]
        if options.get("prompt_order") == "reversed":
            listed = listed[::-1]
        if options.get("prompt_order") == "query-only":
            plain = reference.query(query.text)
            listed = sorted(listed, key=lambda text: -round(float(reference.document(text) @ plain), 6))
        vector = reference.listwise(query.text, listed, options.get("prompt", "eval"))
        if options.get("combination") == "residual":
            vector = options["weight"] * reference.query(query.text) + vector
            vector = vector / np.linalg.norm(vector)
    return np.stack([reference.document(text) for text in texts]) @ vector


def rank_in_several_ways(model: E2RankReranker, candidates: Sequence[CandidateList]) -> list[list[Ranking]]:
    """All queries together, in reverse, and one by one: the rankings of each way in the order of QUERIES."""
    backwards = model.rank_candidates(QUERIES[::-1], candidates[::-1])
    alone = [model.rank_candidates([query], [one])[0] for query, one in zip(QUERIES, candidates, strict=True)]
    return [model.rank_candidates(QUERIES, candidates), backwards[::-1], alone]


DECODER_CASES = [
    {"prompt": "eval"},
    {"prompt": "eval", "prompt_documents": 3},
    {"prompt": "readme", "prompt_order": "reversed"},
    {"prompt": "training", "prompt_documents": 5},
    {"prompt": "eval", "prompt_documents": 4, "prompt_order": "query-only"},
    {"prompt": "eval", "combination": "residual", "weight": 0.5},
    {"prompt": "query-only"},
]
ENCODER_CASES = [
    {"prompt_documents": 3},
    {"prompt_documents": 20, "prompt_order": "reversed"},
    {"prompt_documents": 10, "combination": "residual", "weight": 0.5},
    {"prompt": "query-only"},
]


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, case) for name in ("qwen3", "llama") for case in DECODER_CASES]
    + [("minilm", case) for case in ENCODER_CASES],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_agrees_with_the_reference_however_batched(
    name: str, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    pair: Pair = request.getfixturevalue(name)
    settings = E2RankSettings(family="e2rank", model=name, **options)
    prompt = "eval" if settings.prompt == "query-only" else settings.prompt
    model = E2RankReranker(pair.load(prompt), settings)
    expected = [
        reference_scores(pair.reference, q, c, options) for q, c in zip(QUERIES, lists(), strict=True)
    ]
    assert expected[0].std() > 0.01, "the reference tells documents apart"
    for rankings in rank_in_several_ways(model, lists()):
        for ranking, scores in zip(rankings, expected, strict=True):
            assert ranking.stats.scores == pytest.approx(scores, abs=1e-4)
            assert_ranked_by(ranking.order, scores, tolerance=1e-5)


def test_a_document_that_the_model_answers_with_nan_is_named(tmp_path: Path) -> None:
    folder = write_qwen3(tmp_path, PARAGRAPHS)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    (unseen,) = tokenizer("\x07")["input_ids"]
    model.embed_tokens.weight.data[unseen] = float("nan")
    model.save_pretrained(folder)
    reranker = E2RankReranker(
        _decoder(folder).load("eval"), E2RankSettings(family="e2rank", model="qwen3", prompt_documents=1)
    )
    with pytest.raises(InputError, match=r"document 'q1-d2': .*not finite"):
        reranker.rank_candidates([QUERIES[0]], [candidate_list("q1", ["a", "b", "a bell \x07 rings", "c"])])[
            0
        ]
