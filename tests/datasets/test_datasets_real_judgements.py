"""The real topics and judgements pass through the loaders and readers with the registry's counts."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from e2rank_eval.datasets.loaders import beir
from e2rank_eval.datasets.registry import registered_dataset, registered_datasets
from e2rank_eval.store.files import read_lines
from e2rank_eval.store.trec import read_qrels, read_run

BEIR = {
    "trec-covid": (50, 66334),
    "nfcorpus": (323, 12334),
    "dbpedia-entity": (400, 43515),
    "scifact": (300, 339),
    "signal1m": (97, 1899),
    "trec-news": (57, 15655),
    "arguana": (1406, 1406),
    "scidocs": (1000, 29928),
    "fiqa": (648, 1706),
    "webis-touche2020": (49, 932),
}
"""Queries and judgements of Anserini's files, which drop two of TREC-COVID and the zeros of Touché."""

SPLITS = [name for name in registered_datasets() if re.fullmatch(r"bright-(?!.*-(reason|long)$).*", name)]


@pytest.fixture(scope="module")
def trec(shared_data) -> Path:
    return shared_data / "trec"


def _either(path: Path) -> Path:
    return path if path.exists() else path.with_name(path.name + ".gz")


def _topics(path: Path) -> dict[str, str]:
    return dict(line.split("\t", 1) for _, line in read_lines(path))


def _count(qrels) -> int:
    return sum(map(len, qrels.values()))


@pytest.mark.parametrize("name", ["dl19", "dl20"])
def test_trec_deep_learning(name, trec):
    qrels = read_qrels(_either(trec / "qrels" / f"qrels.{name}-passage.txt"))
    entry = registered_dataset(name)
    assert (len(qrels), _count(qrels)) == (entry.queries, entry.judgements)
    assert {grade for grades in qrels.values() for grade in grades.values()} == {0, 1, 2, 3}


@pytest.mark.parametrize("name", BEIR)
def test_beir(name, trec, tmp_path):
    topics = _topics(trec / "topics" / f"topics.beir-v1.0.0-{name}.test.tsv.gz")
    rows = [json.dumps({"_id": i, "text": text}) for i, text in topics.items()]
    (tmp_path / "queries.jsonl").write_text("\n".join(rows) + "\n")
    lines = list(read_lines(_either(trec / "qrels" / f"qrels.beir-v1.0.0-{name}.test.txt")))
    (tmp_path / "qrels.tsv").write_text("".join(f"{line}\n" for _, line in lines))
    judged = {"_id": lines[0][1].split()[2], "text": "one document"}
    (tmp_path / "corpus.jsonl").write_text(json.dumps(judged) + "\n")
    dataset, _ = beir.load(beir.find(tmp_path, "test"), name)
    entry = registered_dataset(name)
    assert (len(dataset.queries), _count(dataset.qrels)) == BEIR[name]
    assert entry.queries == BEIR[name][0]
    dropped = {"trec-covid": 2, "webis-touche2020": 1282}
    assert entry.judgements == BEIR[name][1] + dropped.get(name, 0)


def test_robust04_has_topics_only(trec):
    topics = _topics(trec / "topics" / "topics.beir-v1.0.0-robust04.test.tsv.gz")
    assert len(topics) == 249 == registered_dataset("robust04").queries


@pytest.mark.parametrize("name", SPLITS)
def test_bright(name, trec):
    qrels = read_qrels(trec / "qrels" / f"qrels.{name}.txt")
    entry = registered_dataset(name)
    assert (len(qrels), _count(qrels)) == (entry.queries, entry.judgements)


def test_every_judgement_file_is_read(trec):
    found = Counter(
        path.name.removeprefix("qrels.").split("-")[0] for path in (trec / "qrels").glob("qrels.*")
    )
    assert found == {"beir": 10, "bright": 24, "dl19": 1, "dl20": 1}
    for path in (trec / "qrels").glob("qrels.*"):
        assert read_qrels(path)


def test_every_run_is_read(trec):
    paths = sorted((trec / "runs").iterdir())
    assert len(paths) == 16
    for path in paths:
        run = read_run(path)
        assert max(map(len, run.scores.values())) <= 100
        assert len(run.scores) == {"dl19": 43, "dl20": 54, "covid": 50, "news": 57}[path.name.split(".")[0]]
