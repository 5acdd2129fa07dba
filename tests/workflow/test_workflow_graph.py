"""The graph: its outputs, no work in a second run, the jobs that a change reruns, messages of mistakes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from workflow_project import STAGES, Project, small_configuration

from e2rank_eval.store.files import read_json

pytestmark = pytest.mark.slow


def test_every_stage_and_the_page_are_written(built: Project) -> None:
    for stage in STAGES:
        assert any((built.results / stage).rglob("*")), stage
    assert (built.results / "site" / "index.html").exists()


def test_every_output_has_a_manifest_whose_command_a_person_can_copy(built: Project) -> None:
    runs = list((built.results / "runs").rglob("*.run"))
    assert len(runs) == 2
    for run in runs:
        manifest = read_json(run.with_name(run.name + ".manifest.json"))
        assert manifest["command"].startswith(f"e2rank-eval rerank {run.stem} lee-12 --first-stage bm25")
        assert manifest["inputs"]
        assert manifest["versions"]["python"]


def test_no_hashed_output_contains_time_or_path(built: Project) -> None:
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
    assert _rules(planned) == {"rerank-bm25+e2rank", "runs"}


def test_changing_a_label_draws_the_report_anew_and_ranks_nothing(built: Project) -> None:
    changed = small_configuration()
    changed["rerankers"]["e2rank"]["label"] = "E2Rank on MiniLM"
    built.configure(changed)
    pinned = (built.results / "config.yaml").read_bytes()
    planned = built.snakemake("--dry-run")
    built.configure(small_configuration())
    assert planned.returncode == 0, planned.stderr
    assert _rules(planned) == {"tables-comparisons-main", "figure", "site", "all"}
    assert (built.results / "config.yaml").read_bytes() == pinned, "running jobs read this file"


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


def test_a_mistake_in_the_configuration_is_one_line(tmp_path: Path) -> None:
    configuration = small_configuration()
    configuration["datasets"]["lee-12"] = {"id": "nope"}
    failed = Project.create(tmp_path / "p", configuration).snakemake("--dry-run")
    assert failed.returncode == 1
    assert re.search(r"error: mine\.yaml:\d+: unknown data set 'nope'", failed.stdout + failed.stderr)
    assert not (tmp_path / "p" / "results").exists()


def test_lists_on_the_command_line_select_what_is_run(tmp_path: Path, built: Project) -> None:
    project = built.copied(tmp_path / "chosen")
    wider = small_configuration() | {"systems": {"plain": ["bm25/first-stage"], "ours": ["*/e2rank"]}}
    wider["datasets"]["lee-5"] = {"slice_of": "lee", "queries": 5, "run": False}
    wider["comparisons"]["main"]["datasets"].append("lee-5")
    project.configure(wider)
    chosen = ("metrics", "--config", "systems=[plain]", "datasets=lee-5")
    planned = project.snakemake(*chosen, "--dry-run")
    done = project.snakemake(*chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (project.results / "metrics" / "lee-5" / "bm25").glob("*.json")][:1]
    assert not (project.results / "metrics" / "lee-5" / "bm25" / "e2rank.json").exists()
    assert _rules(done) == _rules(planned) != set(), "a dry run shows what a run does"


def _rules(done: subprocess.CompletedProcess[str]) -> set[str]:
    return set(re.findall(r"^(?:local)?rule (\w\S*):", done.stdout + done.stderr, re.MULTILINE))


def test_hyphens_in_names_do_not_make_two_rules_one_and_snakemake_addresses_each(tmp_path: Path) -> None:
    """A resource is set for a rule by its name, as is the rule up to which Snakemake works."""
    configuration = small_configuration()
    ours = configuration["comparisons"]["main"]
    configuration["first_stages"] = {name: {"retriever": "bm25"} for name in ("bm25", "bm25-a")}
    configuration["rerankers"] |= {one: {"family": "identity"} for one in ("b", "a-b")}
    configuration["comparisons"] = {
        stage: ours | {"first_stage": stage, "rerankers": [one], "baselines": [one]}
        for stage, one in (("bm25", "a-b"), ("bm25-a", "b"))
    }
    project = Project.create(tmp_path / "p", configuration)
    resources = ("--set-resources", "rerank-bm25+a-b:runtime=7")
    planned = project.snakemake("--dry-run", *resources, "--until", "rerank-bm25+a-b")
    assert planned.returncode == 0, planned.stderr
    assert _rules(planned) == {"fetch", "prepare", "retrieve-bm25", "rerank-bm25+a-b"}
    assert "runtime=7" in planned.stdout + planned.stderr
    both = project.snakemake("--dry-run", "runs")
    assert {"rerank-bm25+a-b", "rerank-bm25-a+b"} <= _rules(both)


def test_a_folder_is_read_again_when_it_changes_and_a_broken_line_is_named(tmp_path: Path) -> None:
    """Snakemake prints the message of e2rank-eval, and does not retry permanent failures."""
    folder = tmp_path / "data"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "d1", "text": "one"}\n{"_id": "d2", "text": "two"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "one?"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    configuration = small_configuration()
    configuration["datasets"]["lee-12"] = {"path": str(folder)}
    project = Project.create(tmp_path / "p", configuration)
    target = "results/small/candidates/lee-12/bm25.jsonl"
    assert project.snakemake(target).returncode == 0
    for line, code in (('{"_id": "d3", "text": "one and one"}\n', 0), ('{"_id": "d1", "text": "two"}\n', 1)):
        with (folder / "corpus.jsonl").open("a") as corpus:
            corpus.write(line)
        done = project.snakemake(target)
        assert done.returncode == code, done.stderr
        if code == 0:
            assert '"d3"' in (project.folder / target).read_text()
    said = done.stdout + done.stderr
    assert f"error: {folder}/corpus.jsonl:4: id 'd1' has two contents" in said
    assert "Trying to restart job" not in said
