"""Unmodified mteb tasks load from the hub in their published layout and are run like any other."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mteb
import published
import pytest
from published import lines

from e2rank_eval.records import Dataset

pytestmark = pytest.mark.slow

RUN = """
import json, sys
from pathlib import Path
from e2rank_eval.models.loading import Models
from e2rank_eval.mteb_suite.encoder import load_mteb_encoder
from e2rank_eval.mteb_suite.running import ResultFiles
from e2rank_eval.mteb_suite.running import run_tasks
from e2rank_eval.mteb_suite.tasks import load_task, wanted_tasks
from mteb import ResultCache
names, cache, out = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
records = run_tasks(
    load_mteb_encoder("all-minilm-l6-v2", Models(cache, threads=1)),
    wanted_tasks(None, names),
    lambda name: load_task(name, None, cache),
    ResultFiles(out),
)
read = ResultCache(out).load_results().model_results[0].task_results
print(json.dumps({
    "records": [record.model_dump() for record in records],
    "read": {one.task_name: one.get_score() for one in read},
    "types": {one.task_name: one.task_type for one in read},
}))
"""


@pytest.fixture
def few(texts: Dataset) -> Dataset:
    """Four queries with what is judged for them: enough for a score."""
    queries = dict(list(texts.queries.items())[:4])
    judged = {d for q in queries for d in texts.qrels[q]}
    return Dataset(
        id="few",
        corpus={i: d for i, d in texts.corpus.items() if i in judged},
        queries=queries,
        qrels={q: texts.qrels[q] for q in queries},
    )


def _pieces(texts: Dataset, words: int) -> list[str]:
    whole = " ".join(document.text for document in texts.corpus.values()).split()
    return [" ".join(whole[start : start + words]) for start in range(0, len(whole) - words, words)]


def _zipped(rows: list[dict[str, Any]]) -> bytes:
    return gzip.compress(lines(rows))


def _repositories(texts: Dataset, few: Dataset) -> dict[str, Mapping[str, bytes]]:
    """Files by task, as the repository of its data set has them."""
    pieces = _pieces(texts, 8)
    labels = [("wing", "shell", "flow", "heat")[n % 4] for n in range(len(pieces))]
    sts = [
        {"sentence1": pieces[n], "sentence2": pieces[n + n % 5], "score": float(5 - n % 5)} for n in range(60)
    ]
    pairs = {
        "sent1": pieces[:40],
        "sent2": [pieces[n] if n % 2 else pieces[n + 100] for n in range(40)],
        "labels": [n % 2 for n in range(40)],
    }
    banking = [{"text": pieces[n], "label": n % 4, "label_text": labels[n]} for n in range(120)]
    newsgroups = [
        {"sentences": pieces[start : start + 50], "labels": labels[start : start + 50]} for start in (0, 50)
    ]
    summaries = [_summaries(pieces, n) for n in range(6)]
    return {
        "STS13": {"test.jsonl.gz": _zipped(sts)},
        "SprintDuplicateQuestions": {"test.json.gz": _zipped([pairs])},
        "Banking77Classification": {"train.jsonl": lines(banking[:80]), "test.jsonl": lines(banking[80:])},
        "TwentyNewsgroupsClustering": {"test.jsonl.gz": _zipped(newsgroups)},
        "SummEvalSummarization.v2": {"test.jsonl.gz": _zipped(summaries)},
        "SciFact": published.mteb_repository(few),
        "AskUbuntuDupQuestions": _reranking(few),
    }


def _summaries(pieces: list[str], number: int) -> dict[str, Any]:
    scores = [float(1 + (number + one) % 5) for one in range(4)]
    return {
        "id": str(number),
        "text": pieces[number],
        "machine_summaries": [pieces[number + 7 * one] for one in range(4)],
        "human_summaries": [pieces[number], pieces[number + 1]],
        **dict.fromkeys(("relevance", "coherence", "fluency", "consistency"), scores),
    }


RERANKING_CARD = """---
configs:
- config_name: corpus
  data_files:
  - {split: test, path: corpus/test-*}
- config_name: qrels
  data_files:
  - {split: test, path: qrels/test-*}
- config_name: queries
  data_files:
  - {split: test, path: queries/test-*}
- config_name: top_ranked
  data_files:
  - {split: test, path: top_ranked/test-*}
---
"""


def _reranking(texts: Dataset) -> dict[str, bytes]:
    ids = list(texts.corpus)
    judged = [(q, d, grade) for q, grades in texts.qrels.items() for d, grade in grades.items()]
    tables: dict[str, dict[str, Any]] = {
        "corpus": {"_id": ids, "text": [d.text for d in texts.corpus.values()], "title": [""] * len(ids)},
        "queries": {"_id": list(texts.queries), "text": [q.text for q in texts.queries.values()]},
        "qrels": {
            "query-id": [q for q, _, _ in judged],
            "corpus-id": [d for _, d, _ in judged],
            "score": [int(grade > 0) for _, _, grade in judged],
        },
        "top_ranked": {
            "query-id": list(texts.queries),
            "corpus-ids": [sorted({*texts.qrels[q], *ids[:10]} & {*ids}) for q in texts.queries],
        },
    }
    files = {
        f"{name}/test-00000-of-00001.parquet": published.parquet_file(columns)
        for name, columns in tables.items()
    }
    return {"README.md": RERANKING_CARD.encode(), **files}


def test_one_task_of_every_type_runs_unmodified(
    hub_server: Any, client: Any, texts: Dataset, few: Dataset, minilm_path: Path, fetch_cache: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "models").symlink_to(fetch_cache / "models")
    repositories = _repositories(texts, few)
    for name, files in repositories.items():
        asked = mteb.get_task(name).metadata.dataset
        hub_server.publish("datasets", asked["path"], files, commit=asked["revision"])
    done = client(RUN, json.dumps(list(repositories)), str(cache), str(tmp_path / "out"))
    failures = {row["task"]: row["failure"] for row in done["records"] if row["failure"] is not None}
    assert failures == {}
    assert set(done["types"].values()) == {
        *("STS", "PairClassification", "Classification", "Clustering", "Summarization"),
        *("Retrieval", "Reranking"),
    }
    for row in done["records"]:
        assert row["score"] == pytest.approx(100 * done["read"][row["task"]], abs=1e-2)
