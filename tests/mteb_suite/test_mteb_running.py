"""mteb runs that stop, resume, fail or become stale; their files remain readable by mteb."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mteb
import pytest
from mteb.benchmarks.benchmark import Benchmark
from mteb.results import TaskResult
from tiny_tasks import Greetings

from e2rank_eval.config.measurements import MtebSettings
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.mteb_suite.encoder import MtebEncoder
from e2rank_eval.mteb_suite.local_tasks import local_task, local_tasks
from e2rank_eval.mteb_suite.running import ResultFiles, refuse_missing, run_tasks
from e2rank_eval.mteb_suite.tasks import load_task, register, wanted_tasks
from e2rank_eval.store.results import MtebTask

LEE = {"LeeRetrieval": "Retrieval"}
Run = Callable[..., MtebTask]


@pytest.fixture
def run(minilm: Callable[[], MtebEncoder], tmp_path: Path) -> Run:
    """Runs a tiny task into one folder, with a model loaded afresh."""

    def once(model: MtebEncoder | None = None, load: Any = Greetings) -> MtebTask:
        wanted = {load().metadata.name: load().metadata.type}
        (record,) = run_tasks(model or minilm(), wanted, lambda _: load(), ResultFiles(tmp_path / "mteb"))
        assert record.failure is None
        return record

    return once


def _result(folder: Path) -> Path:
    (path,) = (folder / "mteb" / "results").rglob("[A-Z]*.json")
    return path


def test_a_finished_task_is_kept_and_mteb_reads_it(run: Run, tmp_path: Path) -> None:
    first = run()
    path = _result(tmp_path)
    assert path.parts[-3:] == (
        "sentence-transformers__all-MiniLM-L6-v2", "8b3219a92973c328a8e22fadcfa821b5dc75636a",
        "Greetings.json",
    )  # fmt: skip
    written = path.read_bytes()
    assert run() == first
    assert path.read_bytes() == written
    (model,) = mteb.ResultCache(tmp_path / "mteb").load_results().model_results
    assert model.model_name == "sentence-transformers/all-MiniLM-L6-v2"
    assert [one.task_name for one in model.task_results] == ["Greetings"]
    assert 100 * model.task_results[0].get_score() == pytest.approx(first.score, abs=1e-3)


def test_cqadupstack_is_the_plain_mean_of_its_forums_as_in_beir(
    run: Run, minilm: Callable[[], MtebEncoder], tmp_path: Path
) -> None:
    """Each of the twelve forums has the same weight, whatever its number of queries."""
    task, files = mteb.get_task("CQADupstackRetrieval"), ResultFiles(tmp_path / "mteb")
    model = minilm()
    scores = [0.02 * number for number in range(1, 13)]
    for forum, score in zip(task.metadata.tasks, scores, strict=True):
        stored = {"test": {"default": {"ndcg_at_10": score, "main_score": score}}}
        result = TaskResult.from_task_results(forum, scores=stored, evaluation_time=1.0)
        files.save_to_cache(result, model.mteb_model_meta)
    assert run(load=lambda: mteb.get_task("CQADupstackRetrieval")).score == pytest.approx(13.0)


@pytest.mark.slow
def test_mteb_tabulates_results_of_registered_tasks_and_models(
    run: Run, short_task: Callable[[], Any], tmp_path: Path
) -> None:
    first = run(load=short_task)
    known = _result(tmp_path).parent
    stranger = known.parents[1] / "e2rank-eval__mine" / "1"
    shutil.copytree(known, stranger)
    meta = json.loads((known / "model_meta.json").read_text())
    meta |= {"name": "e2rank-eval/mine", "revision": "1"}
    (stranger / "model_meta.json").write_text(json.dumps(meta))
    register(tmp_path / "mteb")
    assert {task.metadata.name for task in mteb.get_benchmark("local").tasks} == set(local_tasks())
    stored = mteb.ResultCache(tmp_path / "mteb")

    local = stored.load_results(tasks="local")
    assert {one.task_type for model in local for one in model.task_results} == {"Retrieval"}
    table = local.get_benchmark_result().set_index("Model")
    assert set(table.index) == {"sentence-transformers/all-MiniLM-L6-v2", "e2rank-eval/mine"}
    assert table["Retrieval"].notna().all()

    mine = Benchmark(name="mine", tasks=mteb.get_tasks(["LeeRetrieval"]))
    table = stored.load_results(tasks=mine, validate_and_filter=True).get_benchmark_result()
    assert [100 * mean for mean in table["Mean (Task)"]] == pytest.approx([first.score] * 2, abs=1e-3)


def test_a_truncated_result_is_reported_and_made_again(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run()
    path = _result(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    assert run().score == first.score
    assert "not a complete result" in capsys.readouterr().err
    assert json.loads(path.read_text())["task_name"] == "Greetings"


def test_a_result_of_other_inputs_is_made_again(
    run: Run, minilm: Callable[[], MtebEncoder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run()
    path = _result(tmp_path)
    stored = json.loads(path.read_text())
    stored["scores"]["test"][0]["main_score"] = 0.11111
    path.write_text(json.dumps(stored))
    other = minilm()
    other._encoder.document_fingerprint = "another limit"
    assert run(other).score == first.score
    assert "has other inputs" in capsys.readouterr().err


def test_a_failing_task_is_named_and_the_others_are_run(
    minilm: Callable[[], MtebEncoder], own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("E2RANK_DATA", raising=False)
    wanted = {"STS13Local": "STS", "Greetings": "STS"}
    records = run_tasks(
        minilm(),
        wanted,
        lambda name: Greetings() if name == "Greetings" else local_task(name, own_cache),
        ResultFiles(tmp_path),
    )
    assert [record.score is not None for record in records] == [False, True]
    assert records[0].failure == "set E2RANK_DATA to a folder that holds sts/"
    with pytest.raises(UnavailableError, match=r"1 of 2 tasks have no score: STS13Local: set E2RANK_DATA"):
        refuse_missing(records)


def test_benchmarks_and_tasks_by_name() -> None:
    assert len(wanted_tasks("MTEB(eng, v1)", [])) == 56
    assert len(wanted_tasks("MTEB(eng, v2)", [])) == 41
    assert list(wanted_tasks("BRIGHT", [])) == ["BrightRetrieval"]
    assert len(wanted_tasks("BEIR", [])) == 15
    assert list(wanted_tasks("local", [])) == list(local_tasks())
    assert wanted_tasks("MTEB(eng, v2)", ["STS13", "LeeRetrieval"]) == {"STS13": "STS", **LEE}
    with pytest.raises(InputError, match=r"benchmark 'MTEB\(eng, v2\)' has no task 'STS16'"):
        wanted_tasks("MTEB(eng, v2)", ["STS16"])
    with pytest.raises(InputError, match=r"no benchmark 'MTEB\(eng v2\)'; did you mean MTEB\(eng, v2\)"):
        wanted_tasks("MTEB(eng v2)", [])


def test_a_task_of_the_users_own_package_is_named_by_its_place(
    minilm: Callable[[], MtebEncoder], own_cache: Path, tmp_path: Path
) -> None:
    assert wanted_tasks("MTEB(eng, v2)", ["tiny_tasks:Greetings", "STS13"]) == {
        "Greetings": "STS", "STS13": "STS",
    }  # fmt: skip
    wanted = wanted_tasks(None, ["tiny_tasks:Greetings"])
    files = ResultFiles(tmp_path / "mteb")
    for benchmark in (None, "MTEB(eng, v2)"):
        (record,) = run_tasks(
            minilm(), wanted, lambda name, of=benchmark: load_task(name, of, own_cache), files
        )
        assert (record.task, record.failure, record.texts) == ("Greetings", None, 8)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("tiny_tasks:Missing", "cannot be imported"),
        ("tiny_tusks:Greetings", "No module named 'tiny_tusks'"),
        ("pathlib:Path", "'pathlib:Path' is not a task"),
        ("tiny_tasks:STS13", "another task is named 'STS13'; rename yours"),
    ],
)
def test_a_wrong_place_of_a_task_is_named(place: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        wanted_tasks(None, [place])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"models": ["a"]}, "give a benchmark or tasks"),
        ({"tasks": ["STS13"]}, "give models or rerankers"),
        ({"tasks": ["STS13"], "models": ["a"], "rerankers": ["a"]}, "both a model and a reranker"),
    ],
)
def test_an_entry_that_asks_for_nothing_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MtebSettings(title="t", **fields)
