"""`fine-tune` on a collection of toy texts: what is trained on, the folder that results, and refusals."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from toy_lists import WORDS
from typer.testing import CliRunner

from e2rank_eval import api
from e2rank_eval.cli import training as commands
from e2rank_eval.config.training import JudgedCollection
from e2rank_eval.datasets import loading
from e2rank_eval.errors import InputError
from e2rank_eval.store.files import read_json, sha256_file
from e2rank_eval.training.data import judged_lists, split_lists
from e2rank_eval.training.lists import read_lists
from e2rank_eval.training.loop import Loop


@pytest.fixture
def collection(workplace: Path) -> Path:
    """Texts of two words; those with both words of a query are relevant; 30 training and 8 test queries."""
    draw, folder = random.Random(1), workplace / "toy"
    texts = [f"the {draw.choice(WORDS)} and {draw.choice(WORDS)} of {n}" for n in range(60)]
    _write(folder / "corpus.jsonl", [{"_id": f"d{n}", "text": text} for n, text in enumerate(texts)])
    asked = [draw.choice(texts).split()[1:4:2] for _ in range(38)]
    _write(
        folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"{a} {b} {n}"} for n, (a, b) in enumerate(asked)]
    )
    for split, chosen in (("train", range(30)), ("test", range(30, 38))):
        rows = [
            f"q{q}\td{d}\t1"
            for q in chosen
            for d, text in enumerate(texts)
            if set(asked[q]) <= set(text.split())
        ]
        (folder / "qrels").mkdir(exist_ok=True)
        (folder / "qrels" / f"{split}.tsv").write_text(
            "query-id\tcorpus-id\tscore\n" + "\n".join(rows) + "\n"
        )
    return folder


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _fine_tune(folder: Path, output: str, *options: str) -> Any:
    arguments = ["fine-tune", "--dataset", str(folder), "--base", "tiny-bert", "--output", output]
    arguments += ["--steps", "4", "--documents", "3", "--depth", "20", "--threads", "1", *options]
    return CliRunner().invoke(commands.app, arguments, catch_exceptions=False)


def test_fine_tuning_gives_a_model_that_ranks_and_a_table_of_its_rivals(collection: Path) -> None:
    found = _fine_tune(collection, "out/mine", "--first-stage", "{retriever: bm25, depth: 15}")
    assert found.exit_code == 0, found.output
    assert "{family: e2rank, model: ./out/mine, combination: residual, weight: 1.0, prompt_documents: 3}" in (
        found.output
    )
    tested = read_json(Path("out/mine/test.json"))
    systems = [
        "first stage",
        "fine-tuned",
        "query-only",
        "Rocchio",
        "untrained prompt",
        "query-encoder control",
    ]
    assert [one["reranker"] for one in tested["systems"]] == systems
    assert {one["queries"] for one in tested["systems"]} == {8}
    assert len([one["p_holm"] for one in tested["tests"]]) == 5
    card = Path("out/mine/README.md").read_text()
    assert "license: none, trained on data under unknown (a local folder)" in card
    assert "query-encoder control" in card
    _fine_tune(collection, "out/mine", "--first-stage", "{retriever: bm25, depth: 15}")
    assert Path("out/mine/README.md").read_text() == card, "a second run adds no second table"
    # The folder alone says that documents keep the base's vectors, wherever it is moved.
    moved = Path("out/mine").rename("elsewhere").resolve()
    encoder, base = api.load_encoder(moved), api.load_encoder("tiny-bert")
    assert encoder.document_fingerprint == base.document_fingerprint
    assert encoder.fingerprint != base.fingerprint
    dataset = api.load_dataset(collection)
    reranker = api.load_reranker(moved)
    stated = api.load_reranker(moved, combination="residual", weight=1.0, prompt_documents=3)
    assert reranker.settings == stated.settings
    assert reranker.ranker.fingerprint == stated.ranker.fingerprint
    run = api.rerank(api.retrieve(dataset, depth=20), dataset, reranker)
    assert len(run.scores) == 38
    entry = moved / "entry.yaml"
    entry.write_text(entry.read_text().replace("plain_model: tiny-bert", "plain_model: ./gone"))
    with pytest.raises(InputError, match=r"elsewhere: its plain_model, .* \./gone: no such folder"):
        api.load_encoder(moved)


def test_queries_held_out_are_not_trained_on(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: set[str] = set()
    watched: set[str] = set()
    step = Loop._step

    def spied(loop: Loop, number: int) -> Any:
        trained.update(item.query for part in loop.schedule.step(number) for item in part)
        watched.update(item.query for item in loop.development)
        return step(loop, number)

    monkeypatch.setattr(Loop, "_step", spied)
    _fine_tune(collection, "out/mine", "--steps", "6")
    assert len(watched) == 6
    assert len(trained) == 24
    assert not trained & watched
    settings = JudgedCollection(dataset=str(collection), depth=20)
    lists = judged_lists(settings, Path("cache"), 1)
    halves = [split_lists(lists, seed) for seed in (1, 1, 2)]
    assert halves[0] == halves[1] != halves[2]
    with pytest.raises(InputError, match="only 4 queries have a relevant candidate"):
        split_lists(dict(list(lists.items())[:4]), 1)


def test_queries_that_are_tested_are_not_trained_on(
    collection: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = JudgedCollection(dataset=str(collection), depth=20, tested="test")
    lists = judged_lists(settings, Path("cache"), 1)
    queries, qrels = collection / "queries.jsonl", collection / "qrels"
    copy = json.loads(queries.read_text().splitlines()[0])["text"].upper() + "?"
    with queries.open("a") as file:
        file.write(json.dumps({"_id": "copy", "text": copy}) + "\n")
    with (qrels / "test.tsv").open("a") as file:
        file.write("copy\td0\t1\nq1\td0\t1\n")
    assert judged_lists(settings, Path("cache"), 1) == {i: lists[i] for i in lists if i not in ("q0", "q1")}
    assert "2 queries of the train split" in capsys.readouterr().err
    (qrels / "train.tsv").write_text((qrels / "test.tsv").read_text())
    with pytest.raises(InputError, match=r"all queries of the train split .* are in the test split too"):
        judged_lists(settings, Path("cache"), 1)


def test_model_and_controls_share_one_reading_of_each_split(
    collection: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (collection / "qrels" / "test.tsv").open("a") as file:
        file.write("q1\td0\t1\n")
    read: list[str] = []
    load_folder = loading.load_folder

    def spied(name: str, folder: Path, split: str) -> Any:
        read.append(split)
        return load_folder(name, folder, split)

    monkeypatch.setattr(loading, "load_folder", spied)
    found = _fine_tune(collection, "out/mine")
    assert sorted(read) == ["test", "train"]
    assert found.output.count("queries of the train split") == 1


def test_the_lists_of_a_collection_can_be_written(collection: Path) -> None:
    arguments = ["training-lists", str(collection), "lists.jsonl", "--depth", "20", "--threads", "1"]
    CliRunner().invoke(commands.app, arguments, catch_exceptions=False)
    settings = JudgedCollection(dataset=str(collection), depth=20)
    assert read_lists(Path("lists.jsonl")) == list(judged_lists(settings, Path("cache"), 1).values())
    arguments[2] = str(collection)
    assert CliRunner().invoke(commands.app, arguments).exit_code == 2, "the output is a folder"
    arguments = ["label", "lists.jsonl", "./lists.jsonl", "--teacher", "mine"]
    with pytest.raises(InputError, match="the output is the lists themselves"):
        CliRunner().invoke(commands.app, arguments, catch_exceptions=False)


@pytest.mark.slow
def test_a_killed_run_ends_in_the_same_weights(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--steps", "24", "--control", "query-encoder", "--control", "cross-encoder"]
    _fine_tune(collection, "out/whole", *options)
    step = Loop._step

    def killed(loop: Loop, number: int) -> Any:
        if number == 22:
            raise KeyboardInterrupt
        return step(loop, number)

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_step", killed)
        assert _fine_tune(collection, "other/whole", *options).exit_code == 130
    found = _fine_tune(collection, "other/whole", *options)
    assert found.exit_code == 0
    for name in ("whole", "whole-query-encoder", "whole-cross-encoder"):
        weights = [Path(top, name, "weights", "model.safetensors") for top in ("out", "other")]
        assert sha256_file(weights[0]) == sha256_file(weights[1])


def test_what_cannot_be_trained_on_is_refused(collection: Path) -> None:
    settings = JudgedCollection(dataset=str(collection), depth=20)
    for options, problem in {
        ("--test-split", "held"): "no held split",
        ("--first-stage", "bm25"): "first_stage",
        ("--first-stage", "{analyser: lucene}"): "give a retriever",
        ("--first-stage", "{retriever: bm26}"): "bm26",
        ("--output", "out/my model"): "the run of out/my model",
    }.items():
        with pytest.raises(InputError, match=problem):
            _fine_tune(collection, "out/mine", *options)
    assert _fine_tune(collection, "out/mine", "--documents", "1001").exit_code == 2
    assert not Path("out").exists()
    Path("out/mine-query-encoder").mkdir(parents=True)
    Path("out/mine-query-encoder/notes.txt").touch()
    with pytest.raises(InputError, match=r"mine-query-encoder: the folder holds other files"):
        _fine_tune(collection, "out/mine")
    test = collection / "qrels" / "test.tsv"
    test.write_text(re.sub("1$", "0", test.read_text(), flags=re.MULTILINE))
    with pytest.raises(InputError, match="no relevant document of the test split"):
        _fine_tune(collection, "out/mine")
    assert not Path("out/mine").exists()
    with pytest.raises(InputError, match=r"no dev split.*splits here: test, train"):
        judged_lists(settings.model_copy(update={"split": "dev"}), Path("cache"), 1)
    with pytest.raises(InputError, match=r"beir/scifact.*known: beir/scifact/test, beir/scifact/train"):
        judged_lists(JudgedCollection(dataset="beir/scifact", split="dev"), Path("cache"), 1)
    (collection / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td0\t0\n")
    with pytest.raises(InputError, match="no relevant document of the train split"):
        judged_lists(settings, Path("cache"), 1)
