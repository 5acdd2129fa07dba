"""The command rerank-run, which needs a run, a folder and a model, but no configuration."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from e2rank_eval import cli
from e2rank_eval.cli.common import app
from e2rank_eval.errors import SuiteError
from e2rank_eval.store.files import write_jsonl
from e2rank_eval.store.trec import read_run

for _module in cli._MODULES:
    import_module(f"e2rank_eval.cli.{_module}")
TEXTS = {"d1": "the wing flutters", "d2": "a heat shield ablates", "d3": "flutter of wings at high speed"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "mine" / "corpus.jsonl", ({"_id": i, "text": text} for i, text in TEXTS.items()))
    write_jsonl(
        tmp_path / "mine" / "queries.jsonl",
        [{"_id": "q1", "text": "wing flutter"}, {"_id": "q2", "text": "heat"}],
    )
    (tmp_path / "mine" / "qrels.tsv").write_text("q1 0 d1 1\nq1 0 d3 1\n")
    (tmp_path / "a.run").write_text("q1 Q0 d2 1 3 t\nq1 Q0 d1 2 2 t\nq1 Q0 d3 3 2 t\nq2 Q0 d2 1 1 t\n")
    return tmp_path


def call(folder: Path, cache: Path, run: str, *options: str) -> str:
    arguments = [str(folder / run), "--output", str(folder / "out again.run"), "--cache", str(cache)]
    model = ["--model", "all-minilm-l6-v2", "--option", "prompt=query-only"]
    done = CliRunner().invoke(app, ["rerank-run", *arguments, *model, *options])
    if isinstance(done.exception, SuiteError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_run_of_a_collection_in_a_folder_is_reranked(
    folder: Path, minilm_path: Path, fetch_cache: Path
) -> None:
    assert minilm_path.exists()
    said = call(folder, fetch_cache, "a.run", "--dataset", str(folder / "mine"))
    reranked = read_run(folder / "out again.run").scores
    assert set(list(reranked["q1"])[:2]) == {"d1", "d3"}
    assert list(reranked["q2"]) == ["d2"]
    assert "before 69.34" in " ".join(said.split())
    assert "after 100.00" in " ".join(said.split())


def test_lists_with_texts_need_no_collection(folder: Path, minilm_path: Path, fetch_cache: Path) -> None:
    assert minilm_path.exists()
    candidates: list[dict[str, Any]] = [
        {"docid": i, "score": 3 - n, "doc": {"text": text}} for n, (i, text) in enumerate(TEXTS.items())
    ]
    row = {"query": {"qid": 7, "text": "a shield against heat"}, "candidates": candidates}
    (folder / "requests.jsonl").write_text(json.dumps(row) + "\n")
    said = call(folder, fetch_cache, "requests.jsonl")
    assert next(iter(read_run(folder / "out again.run").scores["7"])) == "d2"
    assert "before" not in said


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "a.run: a run file holds no texts; name its data set"),
        (("--dataset", "{folder}/mine", "--option", "promt=x"), "promt.*did you mean 'prompt'"),
        (("--dataset", "{folder}/yours"), "yours: no such folder"),
        (("--dataset", "{folder}/mine", "--output", "{folder}/a.run"), "a.run: the output is the run itself"),
    ],
)
def test_what_is_missing_is_named(
    folder: Path, fetch_cache: Path, options: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(SuiteError, match=problem):
        call(folder, fetch_cache, "a.run", *(option.format(folder=folder) for option in options))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(
            ("--option", value)
            for value in ("prompt_documents", "prompt_documents=[", "model=mine", "threads=x")
        ),
        ("--output", "."),
    ],
)
def test_what_is_no_option_of_a_family_and_no_place_for_a_file_are_wrong_uses(
    option: str, value: str
) -> None:
    asked = ["rerank-run", "a.run", "--output", "b.run", "--model", "all-minilm-l6-v2", option, value]
    done = CliRunner().invoke(app, asked)
    assert (done.exit_code, option in done.output) == (2, True)
