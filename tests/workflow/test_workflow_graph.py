"""The graph: what is built, that a second run does nothing, what a change reruns, what a mistake says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from workflow_project import Project, small_configuration

from e2rank_eval.store.files import read_json


def test_every_stage_is_there_and_the_page_too(built: Project) -> None:
    for stage in (
        "datasets",
        "candidates",
        "runs",
        "statistics",
        "metrics",
        "comparisons",
        "tables",
        "figures",
    ):
        assert any((built.results / stage).rglob("*")), stage
    assert (built.results / "site" / "index.html").exists()


def test_every_artefact_has_a_manifest_whose_command_a_person_can_copy(built: Project) -> None:
    runs = list((built.results / "runs").rglob("*.run"))
    assert len(runs) == 2
    for run in runs:
        manifest = read_json(run.with_name(run.name + ".manifest.json"))
        assert manifest["command"].startswith(f"e2rank-eval rerank {run.stem} lee-12 --first-stage bm25")
        assert manifest["inputs"]
        assert manifest["versions"]["python"]


def test_no_hashed_artefact_knows_time_or_place(built: Project) -> None:
    for stage in ("datasets", "candidates", "runs", "statistics", "metrics"):
        for path in (built.results / stage).rglob("*"):
            if path.is_file() and not path.name.endswith((".manifest.json", ".gz")):
                assert str(built.folder) not in path.read_text(encoding="utf-8"), path


def test_a_second_run_does_nothing_and_says_so(built: Project) -> None:
    again = built.snakemake()
    assert again.returncode == 0, again.stderr
    assert "Nothing to be done" in again.stdout + again.stderr


def test_changing_one_reranker_reruns_that_one_only(built: Project) -> None:
    changed = small_configuration()
    changed["rerankers"]["e2rank"]["weight"] = 0.5
    built.configure(changed)
    planned = built.snakemake("--dry-run", "runs")
    built.configure(small_configuration())
    assert planned.returncode == 0, planned.stderr
    rules = set(re.findall(r"^(?:local)?rule (\w\S*):", planned.stdout + planned.stderr, re.MULTILINE))
    assert rules == {"rerank-bm25-e2rank", "runs"}


def test_changing_a_label_draws_the_report_anew_and_ranks_nothing(built: Project) -> None:
    changed = small_configuration()
    changed["rerankers"]["e2rank"]["label"] = "E2Rank on MiniLM"
    built.configure(changed)
    planned = built.snakemake("--dry-run")
    built.configure(small_configuration())
    assert planned.returncode == 0, planned.stderr
    rules = set(re.findall(r"^(?:local)?rule (\w\S*):", planned.stdout + planned.stderr, re.MULTILINE))
    assert rules == {"table", "figure", "site", "all"}


def test_a_data_set_that_is_added_reuses_the_finished_shards(built: Project, tmp_path: Path) -> None:
    before = built.hashes("runs", "statistics", "metrics")
    project = built.copied(tmp_path / "wider")
    wider = small_configuration()
    wider["datasets"]["lee-5"] = {"slice_of": "lee", "queries": 5}
    wider["comparisons"]["main"]["datasets"].append("lee-5")
    project.configure(wider)
    done = project.snakemake("metrics")
    assert done.returncode == 0, done.stderr
    after = project.hashes("runs", "statistics", "metrics")
    assert {name: after[name] for name in before} == before
    manifest = read_json(project.results / "runs" / "lee-12" / "bm25" / "e2rank.run.manifest.json")
    assert manifest["shards_reused"] == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dpeth": 3}, "unknown key 'dpeth'"),
        ({"rerankers": {"e2rank": {"family": "e2rank", "model": "bert-huge"}}}, "unknown model 'bert-huge'"),
        ({"datasets": {"lee-12": {"slice_of": "leee", "queries": 12}}}, "unknown name 'leee'"),
        ({"datasets": {"lee-12": {"id": "nope"}}}, "mine.yaml: unknown data set 'nope'"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    configuration = small_configuration()
    for key, value in change.items():
        if isinstance(value, dict):
            configuration[key].update(value)
        else:
            configuration[key] = value
    failed = Project.create(tmp_path / "p", configuration).snakemake("--dry-run")
    assert failed.returncode == 1
    assert told in failed.stdout + failed.stderr
    assert not (tmp_path / "p" / "results").exists()


def _folder(tmp_path: Path, second: str) -> Path:
    """A data set of one query and two documents in BEIR layout; ``second`` is its second corpus line."""
    folder = tmp_path / "data"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(f'{{"_id": "d1", "text": "one"}}\n{second}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "one?"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return folder


def _with_folder(tmp_path: Path, folder: Path) -> Project:
    configuration = small_configuration()
    configuration["datasets"]["lee-12"] = {"path": str(folder)}
    return Project.create(tmp_path / "p", configuration)


def test_a_verb_that_fails_shows_its_one_line_and_is_not_tried_again(tmp_path: Path) -> None:
    """A folder with a broken line: Snakemake exits 1 and prints what e2rank-eval said."""
    folder = _folder(tmp_path, second='{"_id": "d1", "text": "two"}')
    project = _with_folder(tmp_path, folder)
    failed = project.snakemake("results/small/datasets/lee-12/qrels.tsv")
    said = failed.stdout + failed.stderr
    assert failed.returncode == 1
    assert f"error: {folder}/corpus.jsonl:2: id 'd1' is used twice" in said
    assert "Trying to restart job" not in said
    assert not (project.results / "datasets" / "lee-12").exists()


def test_an_edited_folder_is_read_again(tmp_path: Path) -> None:
    folder = _folder(tmp_path, second='{"_id": "d2", "text": "two"}')
    project = _with_folder(tmp_path, folder)
    target = "results/small/candidates/lee-12/bm25.jsonl"
    assert project.snakemake(target).returncode == 0
    assert "Nothing to be done" in project.snakemake(target).stderr
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.write('{"_id": "d3", "text": "one and one"}\n')
    assert project.snakemake(target).returncode == 0
    assert '"d3"' in (project.folder / target).read_text()
