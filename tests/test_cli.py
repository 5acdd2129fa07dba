"""The command line: quick help with examples, documented verbs, and errors of one line with exit code 2."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERBS = [
    *("fetch", "retrieve", "rerank", "latency"),
    "mteb",
    *("evaluate", "compare"),
    *("table", "figure", "site"),
    *("list", "doctor", "audit", "reproduce"),
]


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "e2rank_eval", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_help_names_every_verb_and_loads_no_heavy_package() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert all(re.search(rf"\b{verb}\b", shown.stdout) for verb in VERBS)
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "e2rank_eval", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    heavy = {"torch", "transformers", "numpy", "pandas", "matplotlib", "scipy", "bm25s", "pydantic"}
    assert heavy.isdisjoint(line.rsplit("|", 1)[-1].strip() for line in loaded.splitlines())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example(verb: str) -> None:
    shown = run(verb, "--help")
    assert shown.returncode == 0
    assert re.search(rf"Example:\s+e2rank-eval {verb}", shown.stdout)


def test_evaluate_prints_a_table_and_json_that_agree(tmp_path: Path) -> None:
    (tmp_path / "a.run").write_text("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 2 t\n")
    (tmp_path / "qrels.txt").write_text("q1 0 d2 1\nq1 0 d3 1\n")
    table = run("evaluate", "a.run", "qrels.txt", "--measure", "nDCG@10", "--measure", "R@100", cwd=tmp_path)
    scored = json.loads(run("evaluate", "a.run", "qrels.txt", "--json", cwd=tmp_path).stdout)
    assert f"{100 * scored['mean']['nDCG@10']:.2f}" in table.stdout
    assert "50.00" in table.stdout
    assert "tied scores, broken by document id" in table.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["evaluate", "missing.run", "qrels.txt"], "missing.run: no such file"),
        (["evaluate", "bad.run", "qrels.txt"], "bad.run:2: score 'high' is no finite number"),
        (["evaluate", "a.run", "bad.txt"], "bad.txt:1: grade 'x' is no whole number"),
        (["evaluate", "a.run", "qrels.txt", "--measure", "NDGC@10"], "NDGC@10"),
        (["rerank", "e2rank", "--config", "nowhere.yaml"], "nowhere.yaml: no such configuration"),
        (["list", "metrics"], "nothing to list under 'metrics'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "a.run").write_text("q1 Q0 d1 1 2 t\n")
    (tmp_path / "bad.run").write_text("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 high t\n")
    (tmp_path / "qrels.txt").write_text("q1 0 d1 1\n")
    (tmp_path / "bad.txt").write_text("q1 0 d1 x\n")
    before = sorted(tmp_path.iterdir())
    failed = run(*arguments, cwd=tmp_path)
    assert failed.returncode == 2
    assert told in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_an_unknown_name_of_a_configuration_lists_the_known_ones() -> None:
    failed = run("rerank", "e3rank", "--config", "config/demo.yaml")
    assert failed.returncode == 2
    assert "config/demo.yaml: no reranker named 'e3rank'; known: first-stage," in failed.stderr
