"""The command line: fast help with examples, commands, and one-line errors with exit code 2."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from e2rank_eval import cli
from e2rank_eval.cli.common import app
from e2rank_eval.cli.printing import print_table

ROOT = Path(__file__).parents[1]
for _module in cli._MODULES:
    import_module(f"e2rank_eval.cli.{_module}")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command line in this process and a folder; returns exit code, output and errors."""

    def call(*arguments: str, cwd: Path = tmp_path) -> tuple[int, str, str]:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["e2rank-eval", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return call


@pytest.mark.slow
def test_help_names_every_command_and_loads_no_heavy_package() -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "e2rank_eval", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(re.search(rf"\b{command}\b", shown.stdout) for command in COMMANDS)
    heavy = {"torch", "transformers", "numpy", "pandas", "matplotlib", "scipy", "pydantic"}
    assert heavy.isdisjoint(line.rsplit("|", 1)[-1].strip() for line in shown.stderr.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert re.search(rf"Example:\s+e2rank-eval {command}", shown.output)


def test_evaluate_prints_a_table_and_json_that_agree(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.run").write_text("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 2 t\n")
    (tmp_path / "qrels.txt").write_text("q1 0 d2 1\nq1 0 d3 1\n")
    _, table, _ = run("evaluate", "qrels.txt", "a.run", "--measure", "nDCG@10", "--measure", "R@100")
    scored: dict[str, Any] = json.loads(run("evaluate", "a.run", "qrels.txt", "--json")[1])
    assert f"{100 * scored['mean']['nDCG@10']:.2f}" in table
    assert "50.00" in table
    assert "tied scores, broken by document id" in table


def test_evaluate_takes_a_run_of_three_columns_after_its_judgements(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("\nq1\td1\t2\nq1\td2\t1\n")
    (tmp_path / "qrels.txt").write_text("# judgements\nq1 0 d2 1\n")
    assert json.loads(run("evaluate", "qrels.txt", "a.tsv", "--json")[1])["mean"]["RR@10"] == 1
    _, _, error = run("evaluate", "a.tsv", "qrels.txt")
    assert "these are judgements, give a run" in error


MINE = """\
profile: mine
datasets: {lee: {}, task: {mteb: NoSuchTask}, images: {mteb: VisRAGRetArxivQA}}
first_stages: {bm25: {retriever: bm25}}
rerankers: {first-stage: {family: identity}, listwise: {family: listwise, model: served}}
models: {served: {kind: decoder, format: gguf, engine: vlm, sources: [{kind: folder, folder: folder}]}}
comparisons:
  a:
    title: A
    datasets: [lee, task, images]
    first_stage: bm25
    rerankers: [first-stage, listwise]
    baselines: [first-stage]
"""
MTEB = """\
mteb:
  good: {title: good, tasks: [NFCorpus], models: [all-minilm-l6-v2]}
  bad: {title: bad, tasks: [NFCorpsu], models: [all-minilm-l6-v2]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.run").write_text("q1 Q0 d1 1 2 t\n")
    (tmp_path / "bad.run").write_text("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 high t\n")
    (tmp_path / "qrels.txt").write_text("q1 0 d1 1\n")
    (tmp_path / "bad.txt").write_text("q1 0 d1 x\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine.yaml").write_text(MINE + MTEB)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "logged"),
    [
        (["evaluate", "missing.run", "qrels.txt"], "missing.run: no such file"),
        (["evaluate", "bad.run", "qrels.txt"], "bad.run:2: score 'high' is not a finite number"),
        (["evaluate", "a.run", "bad.txt"], "bad.txt:1: grade 'x' is not an integer"),
        (["evaluate", "a.run", "qrels.txt", "--measure", "NDGC@10"], "NDGC@10"),
        (["evaluate", "a.run", "folder"], "folder: Is a directory; name a file instead of a folder"),
        (["evaluate", "a.run/b.run", "qrels.txt"], "a.run/b.run: Not a directory; name a folder instead"),
        (["rerank", "e2rank", "--config", "nowhere.yaml"], "nowhere.yaml: no such file; check the path"),
        (["list", "metrics"], "nothing to list under 'metrics'"),
        (["schema", "runs"], "unknown schema 'runs'; known: config"),
        (
            ["mteb", "a b", "--tasks", "X", "--config", "mine.yaml"],
            "the options: models.0: 'a b' is not a model",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    run: Run, folder: Path, arguments: list[str], logged: str
) -> None:
    before = sorted(folder.iterdir())
    code, _, errors = run(*arguments)
    assert code == 2
    assert errors.startswith("error: ")
    assert logged in errors
    assert len(errors.strip().splitlines()) == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(run: Run, folder: Path) -> None:
    (folder / "a.run").chmod(0)
    assert "a.run: Permission denied; change its permissions" in run("evaluate", "a.run", "qrels.txt")[2]


def test_an_unknown_name_in_a_configuration_gets_a_suggestion(run: Run) -> None:
    code, _, errors = run("rerank", "e3rank-minilm", "--config", "config/demo.yaml", cwd=ROOT)
    assert code == 2
    assert "config/demo.yaml: no reranker named 'e3rank-minilm'; did you mean e2rank-minilm" in errors


def test_doctor_checks_only_the_named_systems_and_data_sets(run: Run) -> None:
    only = ("--systems", "bm25/first-stage", "--datasets", "lee")
    code, printed, _ = run("doctor", "--config", "config/demo.yaml", *only, "--json", cwd=ROOT)
    assert code in (0, 1)
    asked = {finding["question"] for finding in json.loads(printed)}
    assert {one for one in asked if one.startswith(("data set", "model"))} == {"data set lee"}


def test_doctor_names_the_split_and_the_runs_that_a_user_lacks(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine" / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/dev.tsv"):
        (tmp_path / "mine" / name).touch()
    (tmp_path / "mine.yaml").write_text("""\
profile: mine
datasets: {mine: {path: mine, split: test}, other: {path: mine, split: dev}}
first_stages: {own: {retriever: run, path: "{dataset}.trec"}}
rerankers: {first-stage: {family: identity}}
comparisons:
  a: {title: A, datasets: [mine, other], first_stage: own, rerankers: [first-stage], baselines: [first-stage]}
""")
    (tmp_path / "other.trec").touch()
    code, printed, _ = run("doctor", "--config", "mine.yaml", "--json")
    found = {one["question"]: (one["answer"], one["detail"]) for one in json.loads(printed)}
    assert code == 1
    assert found["data set mine"][0] == "no"
    assert "splits here: dev" in found["data set mine"][1]
    assert found["data set other"] == ("yes", "the folder mine")
    assert found["first stage own"] == ("no", "no file mine.trec")


def test_doctor_names_what_only_mteb_or_an_engine_could_refuse(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    code, printed, _ = run("doctor", "--config", "mine.yaml", "--json")
    found = {one["question"]: (one["answer"], one["detail"]) for one in json.loads(printed)}
    assert code == 1
    assert found["data set mteb:NoSuchTask"][0] == found["data set mteb:VisRAGRetArxivQA"][0] == "no"
    assert "mteb has no task 'NoSuchTask'" in found["data set mteb:NoSuchTask"][1]
    assert "VisRAGRetArxivQA holds text, image" in found["data set mteb:VisRAGRetArxivQA"][1]
    assert found["mteb entry good"] == ("yes", "1 tasks")
    assert found["mteb entry bad"][0] == "no"
    assert "there is no task 'NFCorpsu'; did you mean NFCorpus" in found["mteb entry bad"][1]
    assert "data of mteb entry good" in found["model hub"][1]
    assert found["model served"] == ("no", "unknown engine 'vlm'; did you mean vllm?")


def test_fetch_all_skips_what_only_the_user_can_provide(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    monkeypatch.delenv("E2RANK_DATA", raising=False)
    monkeypatch.setattr(
        "e2rank_eval.datasets.fetch.fetch_dataset", lambda name, *_: fetched.append(str(name))
    )
    code, printed, _ = run("fetch", "--all", "--config", "config/demo.yaml", cwd=ROOT)
    assert code == 0
    assert {"lee", "nfcorpus", "bright-biology"} <= set(fetched)
    assert {"signal1m", "dl19-rerank", "robust04-disks"}.isdisjoint(fetched)
    assert "dl19-rerank: skipped; put corpus.jsonl" in printed


def test_mteb_refuses_a_large_model_without_a_gpu(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2RANK_CPU", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, _, errors = run("mteb", "e2rank-0.6b", "--tasks", "LeeRetrieval", cwd=ROOT)
    assert (code, "needs a GPU and none was found" in errors) == (2, True)


@pytest.mark.parametrize("kind", ["config", "datasets", "models", "training"])
def test_schemas_describe_the_yaml_files(run: Run, kind: str) -> None:
    code, printed, _ = run("schema", kind)
    assert code == 0
    assert "2020-12" in json.loads(printed)["$schema"]


def test_rows_of_a_table_are_read_by_their_keys_not_by_their_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(
        "models",
        [{"name": "a", "size": "1M", "licence": "mit"}, {"licence": "apache", "size": "2M", "name": "b"}],
    )
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "apache" in line]
    assert re.findall(r"\w+", row) == ["b", "2M", "apache"]


def test_compare_prints_means_and_differences_on_one_scale(run: Run, tmp_path: Path) -> None:
    queries = [f"q{number}" for number in range(8)]
    (tmp_path / "qrels.txt").write_text("".join(f"{query} 0 d1 1\n" for query in queries))
    for name, order in (("base", ("d2", "d1")), ("ours", ("d1", "d2"))):
        lines = [
            f"{query} Q0 {document} {rank} {9 - rank} {name}\n"
            for query in queries
            for rank, document in enumerate(order, start=1)
        ]
        (tmp_path / f"{name}.run").write_text("".join(lines))
    code, printed, _ = run("compare", "qrels.txt", "base.run", "ours.run")
    systems, tests = printed.split("Paired tests")
    assert code == 0
    assert "63.09" in systems
    assert "+36.91" in tests
