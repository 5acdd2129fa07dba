"""The latency protocol on rerankers whose work is sleep, and the command on a stored collection."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sleeping_reranker import ENCODE, PROMPT, SleepingReranker, measure, settings, system

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError, QueryError
from e2rank_eval.evaluation import latency, machine
from e2rank_eval.evaluation.flops import Engine, TransformerShape
from e2rank_eval.models.loading import Models
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import registered_models
from e2rank_eval.models.timing import phase, tokenising, watched
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.store.collections import write_candidates
from e2rank_eval.store.files import read_json
from e2rank_eval.store.layout import CANDIDATES, LATENCY, Layout
from e2rank_eval.store.manifests import manifest_path


def test_systems_take_turns_on_each_query_cyclically() -> None:
    log: list[str] = []
    found = measure(*(system(name, SleepingReranker(log=log)) for name in "ab"), queries=3, samples=4)
    assert log == ["q0", "q0", *(query for query in ("q0", "q1", "q2", "q0") for _ in "ab")]
    assert (found.rounds, found.wanted, found.queries) == (4, 4, 3)
    assert [len(one.wall["total"]) for one in found.timings] == [4, 4]


def test_a_budget_ends_rounds_and_sweep_but_never_the_first_round() -> None:
    axes = {"candidates": [1, 2], "batch": [2]}
    found = measure(system("sleep", SleepingReranker()), samples=500, budget=0.001, sweep=axes)
    assert (found.rounds, found.wanted) == (1, 500)
    assert found.skipped == ("candidates 1", "candidates 2", "batch 2")
    some = measure(system("sleep", SleepingReranker()), samples=500, budget=0.5)
    assert 1 < some.rounds <= 0.5 / (ENCODE + PROMPT)


def test_every_untimed_round_is_run_within_the_budget() -> None:
    model, asked = SleepingReranker(), []
    rank = model.rank_candidates

    def count_and_rank(queries: Sequence[Query], lists: Sequence[CandidateList]) -> list[Ranking]:
        asked.append(queries)
        return rank(queries, lists)

    model.rank_candidates = count_and_rank  # type: ignore[method-assign]
    assert measure(system("sleep", model), samples=2, warm_up=3).rounds == 2
    assert len(asked) == 3 + 2


def test_stored_documents_are_encoded_before_the_clock_starts() -> None:
    models = [SleepingReranker(stores_documents=True) for _ in range(2)]
    found = measure(system("sleep", models[0]), system("sleep", models[1], "stored"))
    online, stored = found.timings
    assert min(online.wall["total"]) >= ENCODE + PROMPT
    assert PROMPT <= min(stored.wall["total"]) < ENCODE + PROMPT
    assert (online.document_tokens, stored.document_tokens) == (7.0, 0.0)
    assert (online.prompt_tokens, online.output_tokens, online.candidates) == (10.0, 1.0, 3.0)
    assert set(stored.wall) == set(stored.cpu) == {"documents", "prompt", "total"}
    assert not models[0].prepared


@pytest.mark.parametrize(("stores", "modes"), [(False, ["online"]), (True, ["online", "stored"])])
def test_only_a_family_that_stores_documents_has_the_mode(
    stores: bool, modes: list[str], stored: tuple[Configuration, Layout]
) -> None:
    found = latency.systems_of(settings(), stored[0], lambda _: SleepingReranker(stores_documents=stores))
    assert [one.mode for one in found] == modes
    assert len({id(one.model) for one in found}) == len(modes)


def test_a_failing_query_is_named() -> None:
    with pytest.raises(QueryError, match="'q1' could not be ranked: ValueError: no such word"):
        measure(system("sleep", SleepingReranker(failing="q1")))


def test_sleep_takes_wall_clock_time_and_work_takes_both() -> None:
    with watched() as seconds:
        with phase("sleep"):
            time.sleep(0.05)
        with phase("work"):
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
    assert seconds.wall["sleep"] >= 0.05 > 2 * seconds.cpu["sleep"]
    assert 0.05 <= seconds.cpu["work"] <= seconds.wall["work"] * (os.cpu_count() or 1)


def test_tokenising_is_a_share_of_the_total() -> None:
    model = SleepingReranker()
    rank = model.rank_candidates

    def tokenise_and_rank(queries: Sequence[Query], lists: Sequence[CandidateList]) -> list[Ranking]:
        with tokenising():
            time.sleep(0.03)
        return rank(queries, lists)

    model.rank_candidates = tokenise_and_rank  # type: ignore[method-assign]
    (timing,) = measure(system("sleep", model)).timings
    assert 4 * 0.03 / sum(timing.wall["total"]) <= timing.tokenising < 1
    assert "tokenisation" not in timing.wall


def test_operations_are_compared_with_the_rate_of_the_device() -> None:
    engine = Engine(TransformerShape(1000, 10, 0), matmul_rate=1e6)
    (timing,) = measure(system("sleep", SleepingReranker()), engines={"sleep": engine}).timings
    # 10 prompt tokens, 7 of documents and 1 generated, which goes through the output layer too.
    assert timing.flops == 2 * 1000 * 17 + 2 * 1010
    assert timing.peak_share == pytest.approx(timing.flops * 4 / sum(timing.wall["total"]) / 1e6)


@pytest.mark.parametrize(("loaded", "policy", "passive"), [
    (False, None, True), (False, "ACTIVE", True), (True, None, False), (True, "PASSIVE", True),
])  # fmt: skip
def test_waiting_threads_sleep_unless_torch_is_loaded_already(
    loaded: bool, policy: str | None, passive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", policy or "")
    if loaded:
        monkeypatch.setitem(sys.modules, "torch", object())
    else:
        monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert machine.wait_passively() is passive


@pytest.mark.parametrize(("passive", "model", "clock"), [
    (True, "all-minilm-l6-v2", "cpu"), (False, "all-minilm-l6-v2", "wall"),
    (True, "on-vllm", "wall"),
])  # fmt: skip
def test_ratios_are_of_cpu_time_where_this_process_does_all_the_work(
    passive: bool, model: str, clock: str, stored: tuple[Configuration, Layout],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(machine, "wait_passively", lambda: passive)
    monkeypatch.setattr(machine, "cuda", lambda: None)
    chosen: Any = stored[0].rerankers["sleep"].model_copy(update={"model": model})
    configuration = stored[0].model_copy(update={"rerankers": {"sleep": chosen}})
    entry = registered_models()["qwen3-0.6b"].model_dump(mode="json", exclude_unset=True)
    own = Catalogue(tmp_path, {"on-vllm": entry | {"engine": "vllm"}})
    assert latency.clock_of(configuration, settings(), Models(tmp_path, threads=1, catalogue=own)) == clock


def test_the_command_writes_what_it_measured_and_a_manifest(
    stored: tuple[Configuration, Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration, layout = stored
    built: list[Any] = []
    build = latency.systems_of
    monkeypatch.setattr(latency, "systems_of", lambda *given: built.extend(build(*given)) or built)
    monkeypatch.setattr(latency, "clock_of", lambda *_: "wall" if built else "cpu")
    path = latency.write_latency(configuration, "one", layout)
    assert read_json(path)["clock"] == "wall", "a GPU shows once models are loaded, so they come first"
    assert path == layout.path(LATENCY, latency="one")
    found = read_json(path)
    assert (found["dataset"], found["first_stage"], found["threads"]) == ("toy", "bm25", 1)
    assert [(one["reranker"], one["mode"]) for one in found["timings"]] == [
        ("sleep", "online"), ("sleep", "stored"),
    ]  # fmt: skip
    assert found["device"]
    assert isinstance(found["passive_waits"], bool)
    manifest = read_json(manifest_path(path))
    assert manifest["command"].startswith("e2rank-eval latency one --config ")
    assert (manifest["settings"]["samples"], list(manifest["settings"]["rerankers"])) == (4, ["sleep"])
    write_candidates(
        layout.path(CANDIDATES, dataset="toy", first_stage="bm25"),
        [CandidateList(f"q{i}", ()) for i in range(6)],
    )
    with pytest.raises(InputError, match="no query has a candidate to time"):
        latency.write_latency(configuration, "one", layout)
