"""The extensions in CONTRIBUTING.md work as written, and the paths that it names exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2rank_eval.config import parse_configuration
from e2rank_eval.config.systems import FAMILIES, FIRST_STAGES
from e2rank_eval.datasets.loaders import LOADERS, Request
from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.records import Candidate, CandidateList, Dataset, Document, Query
from e2rank_eval.registry import Registry
from e2rank_eval.report.collect import Results
from e2rank_eval.report.tables import TABLES
from e2rank_eval.retrieval.base import Context
from e2rank_eval.store.corpus import StreamedCorpus
from e2rank_eval.store.layout import Layout

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = {
    match[1]: match[0].partition("\n")[2]
    for match in re.finditer(
        r"(?<=```python\n)# ((?:e2rank_eval|mypackage)/\S+\.py)\n.*?(?=```)", TEXT, re.DOTALL
    )
}
"""Path of a new file -> its text."""


@pytest.fixture
def add() -> Iterator[Any]:
    """Execute the text of a new file; its registration is removed afterwards."""
    added: list[tuple[Registry[Any], str]] = []

    def run(registry: Registry[Any], folder: str) -> str:
        (path,) = (path for path in FILES if path.startswith(f"{folder}/"))
        assert folder == "mypackage" or (ROOT / path).parent.is_dir()
        assert not (ROOT / path).exists()
        before = set(registry)
        exec(compile(FILES[path], path, "exec", dont_inherit=True), {"__name__": "added"})
        (name,) = set(registry) - before
        added.append((registry, name))
        return name

    yield run
    for registry, name in added:
        registry._things.pop(name)


def test_every_named_path_exists() -> None:
    named = re.findall(r"`((?:e2rank_eval|config|tests|benchmarks)/[\w./-]+)`", TEXT)
    made = {"config/models.yaml", "config/datasets.yaml"}
    assert [name for name in named if name not in made and not (ROOT / name).exists()] == []


def test_the_documented_first_stage_works(add: Any) -> None:
    name = add(FIRST_STAGES, "e2rank_eval/retrieval/first_stages")
    values = {
        "profile": "mine",
        "datasets": {"mine": {"path": "mine"}},
        "first_stages": {name: {"retriever": name, "depth": 2}},
        "rerankers": {"first-stage": {"family": "identity"}},
    }
    configuration = parse_configuration(values, "mine.yaml")
    corpus = StreamedCorpus(lambda: [(None, Document(i, i)) for i in "abc"], "abc", hint="")
    dataset = Dataset("mine", corpus, {"q": Query("q", "a")}, {"q": {"a": 1}})
    lists, _ = Context(configuration, None, depth=2).finder(name)(dataset)  # type: ignore[arg-type]
    assert lists[0].document_ids == ("c", "b")


def test_the_documented_table_works(add: Any, tmp_path: Path) -> None:
    name = add(TABLES, "e2rank_eval/report/tables")
    values = {
        "profile": "mine",
        "datasets": {"mine": {"path": "mine"}},
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {"first-stage": {"family": "identity"}},
    }
    configuration = parse_configuration(values, "mine.yaml")
    name = f"{name}-mine"
    (path,) = TABLES.shown(configuration)[name].inputs(configuration)
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("q1\t0\td1\t1\nq2\t0\td1\t1\n")
    table = TABLES.build(Results(Layout(tmp_path), configuration), name)
    assert [[cell.value for cell in row] for row in table.rows] == [["mine", 2]]


def test_the_documented_family_works(add: Any) -> None:
    name = add(FAMILIES, "mypackage")
    values = {
        "profile": "mine",
        "datasets": {"mine": {"path": "mine"}},
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {"mine": {"family": name}},
    }
    reranker = parse_configuration(values, "mine.yaml").rerankers["mine"].build(None)
    candidates = CandidateList("q", tuple(Candidate(Document(i, "x" * int(i)), 0.0) for i in "312"))
    assert reranker.rank_candidates([Query("q", "x")], [candidates])[0].document_ids == ("1", "2", "3")


def test_the_documented_entry_point_names_the_documented_family() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert tomllib.loads(block)["project"]["entry-points"] == {
        FAMILIES._group: {"shortest": "mypackage.shortest"}
    }
    assert "mypackage/shortest.py" in FILES


def test_the_documented_loader_works(add: Any, tmp_path: Path) -> None:
    name = add(LOADERS, "e2rank_eval/datasets/loaders")
    (tmp_path / "documents.txt").write_text("one\ntwo\n")
    (tmp_path / "queries.tsv").write_text("which is second?\t2\n")
    dataset, _ = LOADERS[name](Request("mine", {}, tmp_path))
    assert dataset.qrels == {"q1": {"2": 1}}
    assert dataset.corpus["2"].text == "two"


def test_the_documented_entry_of_a_data_set_names_the_documented_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = re.findall(r"```yaml\n(# config/datasets.yaml\n.*?)```", TEXT, re.DOTALL)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/datasets.yaml").write_text(block)
    monkeypatch.chdir(tmp_path)
    assert f"e2rank_eval/datasets/loaders/{registered_dataset('my-lines').loader}.py" in FILES
