"""The real topics and judgements pass through the loaders and readers with the registry's counts."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from e2rank_eval.datasets.loaders import beir, bright, trec_dl
from e2rank_eval.datasets.loaders.trec_dl import read_pairs
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

SPLITS = [name for name, entry in registered_datasets().items() if "fixed" in entry.variants]
FIXED_DIFFER = {"biology", "earth-science", "robotics", "stackoverflow", "sustainable-living"}


@pytest.fixture(scope="module")
def trec(shared_data) -> Path:
    return shared_data / "trec"


def _either(path: Path) -> Path:
    return path if path.exists() else path.with_name(path.name + ".gz")


def _count(qrels) -> int:
    return sum(map(len, qrels.values()))


@pytest.mark.parametrize(("name", "queries", "left_out"), [("dl19", 43, 0), ("dl20", 54, 146)])
def test_trec_deep_learning(name, queries, left_out, trec, tmp_path):
    topics = {"dl19": "topics.dl19-passage.txt", "dl20": "topics.dl20.txt"}[name]
    (tmp_path / trec_dl.COLLECTION).write_text("0\tone passage\n")
    content = (trec / "topics" / topics).read_bytes()
    (tmp_path / f"queries-20{name[2:]}.tsv.gz").write_bytes(gzip.compress(content))
    qrels = _either(trec / "qrels" / f"qrels.{name}-passage.txt")
    (tmp_path / f"qrels-20{name[2:]}.txt").write_text("".join(f"{line}\n" for _, line in read_lines(qrels)))
    dataset, counts = trec_dl.load(tmp_path, name, year=int(f"20{name[2:]}"))
    entry = registered_dataset(name)
    assert len(dataset.queries) == queries == entry.queries
    assert _count(dataset.qrels) == entry.judgements
    assert counts == {"queries without judgements": left_out}
    assert {grade for grades in dataset.qrels.values() for grade in grades.values()} == {0, 1, 2, 3}


@pytest.mark.parametrize("name", BEIR)
def test_beir(name, trec, tmp_path):
    topics = read_pairs(trec / "topics" / f"topics.beir-v1.0.0-{name}.test.tsv.gz")
    rows = [json.dumps({"_id": i, "text": text}) for i, text in topics.items()]
    (tmp_path / "corpus.jsonl").write_text('{"_id": "none of them", "text": "one document"}\n')
    (tmp_path / "queries.jsonl").write_text("\n".join(rows) + "\n")
    lines = read_lines(_either(trec / "qrels" / f"qrels.beir-v1.0.0-{name}.test.txt"))
    (tmp_path / "qrels.tsv").write_text("".join(f"{line}\n" for _, line in lines))
    dataset, _ = beir.load(beir.find(tmp_path, "test"), name)
    entry = registered_dataset(name)
    assert (len(dataset.queries), _count(dataset.qrels)) == BEIR[name]
    assert entry.queries == BEIR[name][0]
    dropped = {"trec-covid": 2, "webis-touche2020": 1282}
    assert entry.judgements == BEIR[name][1] + dropped.get(name, 0)


def test_robust04_has_topics_only(trec):
    topics = read_pairs(trec / "topics" / "topics.beir-v1.0.0-robust04.test.tsv.gz")
    assert len(topics) == 249 == registered_dataset("robust04").queries


def _examples(trec: Path, split: str) -> dict[str, list]:
    topics = read_pairs(trec / "topics" / f"topics.bright-{split}.tsv.gz")
    qrels = bright._read_qrels(trec / "qrels" / f"qrels.bright-{split}.txt", {}, topics)
    excluded: dict[str, list[str]] = {}
    listed = trec / "qrels" / f"exclude.bright-{split}.txt.gz"
    for _, line in read_lines(listed) if listed.exists() else ():
        excluded.setdefault(line.split()[0], []).append(line.split()[1])
    return {
        "id": list(topics),
        "query": list(topics.values()),
        "gold_ids": [list(qrels[i]) for i in topics],
        "excluded_ids": [excluded.get(i, ["N/A"]) for i in topics],
    }


@pytest.mark.parametrize("name", SPLITS)
def test_both_judgements_of_bright(name, trec, tmp_path):
    split = name.removeprefix("bright-")
    own = registered_dataset(name).options["split"]
    for folder, columns in (
        ("documents", {"id": ["no such"], "content": ["one passage"]}),
        ("examples", _examples(trec, split)),
    ):
        (tmp_path / folder).mkdir()
        table = pyarrow.table(columns)
        parquet.write_table(table, tmp_path / folder / f"{own}-00000-of-00001.parquet")
    fixed_path = trec / "qrels" / f"qrels.bright-{split}.fixed.txt"
    original, _ = bright.load(tmp_path, name, split=own)
    fixed, _ = bright.load(tmp_path, f"{name}-fixed", split=own, qrels=fixed_path)
    for dataset in (original, fixed):
        entry = registered_dataset(dataset.id)
        assert (len(dataset.queries), _count(dataset.qrels)) == (entry.queries, entry.judgements)
        assert dataset.exclusions == original.exclusions
    assert (original.qrels != fixed.qrels) == (split in FIXED_DIFFER)
    assert bool(original.exclusions) == (split == "leetcode")
    if split == "leetcode":
        assert (len(original.exclusions), sum(map(len, original.exclusions.values()))) == (142, 33485)


def test_the_fixed_judgements_are_the_registry_s_files(trec):
    from e2rank_eval.store.files import sha256_file

    for name in SPLITS:
        (source,) = registered_dataset(f"{name}-fixed").additions
        (one,) = source.downloads
        path = trec / "qrels" / one.urls[0].rpartition("/")[2]
        assert sha256_file(path) == one.sha256
        assert path.stat().st_size == one.bytes


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
