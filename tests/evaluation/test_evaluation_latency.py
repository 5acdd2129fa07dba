"""The latency protocol on a reranker whose work is sleep, and the verb on a stored collection."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from e2rank_eval.configuration import (
    Configuration,
    CostSweepSettings,
    E2RankSettings,
    LatencySettings,
    parse_configuration,
)
from e2rank_eval.errors import InputError, QueryError, UnavailableError
from e2rank_eval.evaluation import cost_sweep, latency, machine, samples
from e2rank_eval.evaluation.engine import Engine
from e2rank_eval.evaluation.flops import TransformerShape
from e2rank_eval.model_loading import Models
from e2rank_eval.records import Candidate, CandidateList, Dataset, Document, Query, Ranking, Trace
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.store.collections import write_candidates, write_dataset
from e2rank_eval.store.layout import CANDIDATES, LATENCY, Layout
from e2rank_eval.timing import TOKENISATION, part

ENCODE, PROMPT = 0.02, 0.01
"""Seconds that the test reranker sleeps for its documents and its prompt."""


class SleepingReranker:
    """Sleeps for every document set that was not prepared, then for the prompt; remembers what it ranked."""

    fingerprint = "sleeping"

    def __init__(self, *, stores_documents: bool = False, failing: str | None = None) -> None:
        self.stores_documents = stores_documents
        self.failing = failing
        self.ranked: list[str] = []
        self.prepared: set[str] = set()

    def prepare(self, documents: Sequence[Document]) -> None:
        self.prepared |= {document.id for document in documents}

    def rank(self, query: Query, candidates: CandidateList) -> Ranking:
        self.ranked.append(query.id)
        if query.id == self.failing:
            raise ValueError("no such word")
        encoding = 0.0 if self.prepared.issuperset(candidates.document_ids) else ENCODE
        time.sleep(encoding)
        time.sleep(PROMPT)
        trace = Trace(prompt_tokens=10, document_tokens=7 if encoding else 0, output_tokens=1)
        seconds = {"documents": encoding, "prompt": PROMPT, "total": 99.0}
        return Ranking(candidates, tuple(range(len(candidates))), trace, seconds)

    def rank_many(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        raise AssertionError("latency is measured one query at a time")


def build(options: dict[str, Any], context: RerankContext) -> SleepingReranker:
    """What the custom family of the configuration below names."""
    return SleepingReranker(**options)


def collection(queries: int) -> Dataset:
    corpus = {f"d{i}": Document(f"d{i}", f"text {i}") for i in range(3)}
    asked = {f"q{i}": Query(f"q{i}", f"query {i}") for i in range(queries)}
    return Dataset("toy", corpus, asked, {query_id: {"d0": 1} for query_id in asked})


def lists_of(dataset: Dataset) -> list[CandidateList]:
    candidates = tuple(Candidate(document, -float(i)) for i, document in enumerate(dataset.corpus.values()))
    return [CandidateList(query_id, candidates) for query_id in dataset.queries]


def settings(**changes: Any) -> LatencySettings:
    values = {"dataset": "toy", "first_stage": "bm25", "rerankers": ["sleep"], "samples": 4, "warm_up": 5}
    return LatencySettings(**(values | changes))


def measure(model: SleepingReranker, queries: int = 6, **changes: Any) -> dict[str, Any]:
    dataset = collection(queries)
    return latency.measure_latency(
        lambda: model, list(dataset.queries.values()), lists_of(dataset), settings(**changes),
        reranker="sleep", threads=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("totals", "agreed"),
    [
        ([1.0, 1.0], False),
        ([1.0, 1.05, 1.1], True),
        ([1.0, 1.05, 1.11], False),
        ([9.0, 1.0, 1.05, 1.1], True),
        ([1.0, 1.0, 1.0, 2.0], False),
        ([0.0, 0.0, 0.0], True),
    ],
)
def test_a_warm_up_ends_when_three_runs_in_a_row_agree(totals: list[float], agreed: bool) -> None:
    assert samples.settled(totals) is agreed


@pytest.mark.parametrize(
    ("size", "known"), [(1, {"p50"}), (19, {"p50"}), (20, {"p50", "p90"}), (100, {"p50", "p90", "p99"})]
)
def test_percentiles_need_samples(size: int, known: set[str]) -> None:
    found = samples.percentiles([float(i) for i in range(size)])
    assert {name for name, value in found.items() if value is not None} == known
    assert found["p50"] == (size - 1) / 2


def test_no_query_is_timed_twice_and_the_warm_up_takes_another() -> None:
    model = SleepingReranker()
    found = measure(model)
    online = found["modes"]["online"]
    assert model.ranked == ["q4"] * online["warm_up"] + ["q0", "q1", "q2", "q3"]
    assert online["samples"] == len(online["seconds"]["total"]) == 4
    assert 3 <= online["warm_up"] <= 5
    assert found["labels"] == []


def test_fewer_queries_than_samples_are_all_timed_once_and_labelled() -> None:
    model = SleepingReranker()
    found = measure(model, queries=3, samples=50, warm_up=2)
    online = found["modes"]["online"]
    assert model.ranked == ["q2", "q2", "q0", "q1", "q2"]
    assert (online["samples"], online["warm_up"], online["warm_up_agreed"]) == (3, 2, False)
    assert found["labels"] == ["warmed up on a query that is timed as well"]


def test_stored_documents_take_their_time_before_the_clock() -> None:
    model = SleepingReranker(stores_documents=True)
    modes = measure(model, document_vectors=["stored", "online"])["modes"]
    assert list(modes) == ["online", "stored"]
    online, stored = modes["online"], modes["stored"]
    assert min(online["seconds"]["total"]) >= ENCODE + PROMPT
    assert PROMPT <= min(stored["seconds"]["total"]) < ENCODE + PROMPT
    assert (online["document_tokens"], stored["document_tokens"]) == (7.0, 0.0)
    assert stored["prepared_documents"] == 3
    assert set(stored["seconds"]) == {"documents", "prompt", "total"}
    assert model.ranked.count("q0") == 2


@pytest.mark.parametrize(("stores", "asked", "modes"), [
    (False, ["stored", "online"], ["online"]),
    (False, ["stored"], ["online"]),
    (True, ["stored"], ["stored"]),
    (True, ["online"], ["online"]),
])  # fmt: skip
def test_only_a_family_that_stores_documents_has_the_mode(
    stores: bool, asked: list[str], modes: list[str]
) -> None:
    model = SleepingReranker(stores_documents=stores)
    assert list(measure(model, samples=1, document_vectors=asked)["modes"]) == modes
    assert bool(model.prepared) == ("stored" in modes)


def test_times_are_measured_around_the_ranking_whatever_it_says_of_its_total() -> None:
    online = measure(SleepingReranker())["modes"]["online"]
    assert all(ENCODE + PROMPT <= total < 1.0 for total in online["seconds"]["total"])
    assert online["queries_per_second"] == pytest.approx(4 / sum(online["seconds"]["total"]))
    assert online["interval"][0] <= online["mean"] <= online["interval"][1]
    assert online["percentiles"]["prompt"] == {"p50": PROMPT, "p90": None, "p99": None}
    assert (online["prompt_tokens"], online["output_tokens"], online["candidates"]) == (10.0, 1.0, 3.0)


def test_a_failing_query_is_named() -> None:
    with pytest.raises(QueryError, match="'q1' could not be ranked: ValueError: no such word"):
        measure(SleepingReranker(failing="q1"))


def test_queries_without_candidates_are_not_timed() -> None:
    dataset = collection(2)
    lists = [CandidateList(query_id, ()) for query_id in dataset.queries]
    with pytest.raises(InputError, match="no query of 'toy' has a candidate"):
        latency.measure_latency(
            SleepingReranker, list(dataset.queries.values()), lists, settings(), reranker="sleep", threads=1
        )


def test_peak_memory_counts_from_the_reset() -> None:
    machine.reset_peak_memory()
    before = machine.peak_memory_bytes()
    held = bytearray(os.urandom(1)) * (200 << 20)
    grown = machine.peak_memory_bytes()
    assert grown - before > 150 << 20
    del held
    if Path("/proc/self/clear_refs").exists():
        machine.reset_peak_memory()
        assert machine.peak_memory_bytes() < grown - (100 << 20)


def burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_work_of_this_process_is_no_load() -> None:
    meter, before, own, start = machine.LoadMeter(), psutil.cpu_times(), time.process_time(), time.monotonic()
    burn(0.6)
    others, after, elapsed = meter.others(), psutil.cpu_times(), time.monotonic() - start
    idle = (after.idle + after.iowait) - (before.idle + before.iowait)
    busy = sum(after) - sum(before) - idle
    assert others == pytest.approx(max(0.0, busy - (time.process_time() - own)) / elapsed, abs=0.15)


@pytest.fixture
def stranger() -> Iterator[psutil.Process]:
    """A process at work that is no child of this one, since the shell that started it has ended."""
    command = f"{sys.executable} -c 'while True: pass' >/dev/null 2>&1 & echo $!"
    started = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    process = psutil.Process(int(started.stdout))
    yield process
    process.kill()


def test_work_of_another_process_is_load(stranger: psutil.Process) -> None:
    before, start = stranger.cpu_times().user, time.monotonic()
    load = machine.load_now(0.6)
    share = (stranger.cpu_times().user - before) / (time.monotonic() - start)
    assert share > 0
    assert load >= share - 0.15


@pytest.mark.parametrize(
    ("load", "cores", "label"),
    [
        (0.2, 1, None),
        (0.3, 2, "machine busy: load 0.3 on 2 cores"),
        (3.0, 64, None),
        (7.0, 64, "machine busy: load 7.0 on 64 cores"),
    ],
)
def test_a_busy_machine_is_labelled(load: float, cores: int, label: str | None) -> None:
    assert machine.busy_label(load, cores) == label


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Configuration, Layout]:
    layout = Layout(tmp_path / "results/test")
    dataset = collection(6)
    write_dataset(layout.root / "datasets/toy", dataset)
    write_candidates(layout.path(CANDIDATES, dataset="toy", first_stage="bm25"), lists_of(dataset))
    sleep = {"family": "custom", "factory": f"{__name__}:build", "options": {"stores_documents": True}}
    configuration = parse_configuration(
        {
            "profile": "test",
            "threads": 1,
            "cache": str(tmp_path / "cache"),
            "datasets": {"toy": {}},
            "first_stages": {"bm25": {"retriever": "bm25"}},
            "rerankers": {"sleep": sleep},
            "latency": {"one": settings().model_dump()},
        },
        "test.yaml",
    )
    return configuration, layout


def test_the_verb_writes_what_it_measured_and_a_manifest(stored: tuple[Configuration, Layout]) -> None:
    configuration, layout = stored
    path = latency.latency(configuration, "one", "sleep", layout)
    assert path == layout.path(LATENCY, dataset="toy", first_stage="bm25", reranker="sleep")
    found = json.loads(path.read_text())
    assert (found["dataset"], found["first_stage"], found["reranker"]) == ("toy", "bm25", "sleep")
    assert (found["threads"], found["resumed"], sorted(found["modes"])) == (1, False, ["online", "stored"])
    assert found["device"]
    assert found["modes"]["online"]["peak_memory_bytes"] > 1 << 20
    manifest = json.loads(path.with_name("sleep.json.manifest.json").read_text())
    assert manifest["command"].startswith("e2rank-eval latency one sleep --config ")
    assert manifest["settings"]["samples"] == 4


def test_the_verb_labels_a_busy_machine_or_refuses_it(
    stored: tuple[Configuration, Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "load_now", lambda: 7.0)
    monkeypatch.setattr(machine, "usable_cores", lambda: 8)
    monkeypatch.setattr(machine.LoadMeter, "others", lambda _: 0.0)
    configuration, layout = stored
    path = layout.path(LATENCY, dataset="toy", first_stage="bm25", reranker="sleep")
    with pytest.raises(UnavailableError, match=r"machine busy: load 7\.0 on 8 cores"):
        latency.latency(configuration, "one", "sleep", layout, refuse_busy=True)
    assert not path.exists()
    latency.latency(configuration, "one", "sleep", layout)
    assert json.loads(path.read_text())["labels"] == ["machine busy: load 7.0 on 8 cores"]


def hold(ready: Any, release: Any) -> None:
    with machine.alone():
        ready.set()
        release.wait(30)


def test_two_measurements_never_run_at_once(
    stored: tuple[Configuration, Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(ready, release))
    other.start()
    try:
        assert ready.wait(30)
        monkeypatch.setattr(machine, "LOCK_WAIT", 0.1)
        with pytest.raises(UnavailableError, match="another process is working on a latency measurement"):
            latency.latency(stored[0], "one", "sleep", stored[1])
    finally:
        release.set()
        other.join()
    with machine.alone():
        pass


def test_a_sweep_times_every_point_on_as_many_candidates_and_queries(
    stored: tuple[Configuration, Layout],
) -> None:
    model = SleepingReranker(stores_documents=True)
    sizes: list[tuple[int, int]] = []

    def rank_many(queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        sizes.append((len(queries), len(candidates[0])))
        pairs = zip(queries, candidates, strict=True)
        return [SleepingReranker.rank(model, query, one) for query, one in pairs]

    model.rank = lambda query, candidates: rank_many([query], [candidates])[0]  # type: ignore[method-assign]
    model.rank_many = rank_many  # type: ignore[method-assign]
    dataset = collection(3)
    work = list(zip(dataset.queries.values(), lists_of(dataset), strict=True))
    sweep = CostSweepSettings(candidates=[1, 3], prompt_documents=[0], batch=[2], samples=2, warm_up=1)
    custom = stored[0].rerankers["sleep"]
    rows = cost_sweep.measure_sweep(lambda _: model, custom, work, sweep, name="sleep")
    points = [("candidates", 1), ("candidates", 3), ("batch", 2)]
    assert [(row["axis"], row["value"]) for row in rows] == 2 * points
    assert [row["mode"] for row in rows] == 3 * ["online"] + 3 * ["stored"]
    assert sizes == 2 * (3 * [(1, 1)] + 3 * [(1, 3)] + 3 * [(2, 3)])
    assert [row["document_tokens"] for row in rows] == 3 * [7.0] + 3 * [0.0]
    batch = rows[2]
    assert len(batch["seconds"]) == 2
    assert batch["queries_per_second"] == pytest.approx(4 / sum(batch["seconds"]))


def test_a_sweep_deeper_than_any_list_is_refused(stored: tuple[Configuration, Layout]) -> None:
    dataset = collection(2)
    work = list(zip(dataset.queries.values(), lists_of(dataset), strict=True))
    custom = stored[0].rerankers["sleep"]
    with pytest.raises(InputError, match=r"no query has 4 candidates.*lower it to 3"):
        cost_sweep.measure_sweep(
            lambda _: SleepingReranker(), custom, work, CostSweepSettings(candidates=[4]), name="sleep"
        )


def test_e2rank_is_swept_over_prompt_documents_with_none_as_the_plain_query() -> None:
    dataset = collection(2)
    work = list(zip(dataset.queries.values(), lists_of(dataset), strict=True))
    built: list[tuple[str, int]] = []

    def build_one(settings: Any) -> SleepingReranker:
        built.append((settings.prompt, settings.prompt_documents))
        return SleepingReranker()

    e2rank = E2RankSettings(family="e2rank", model="all-minilm-l6-v2", prompt_documents=10)
    sweep = CostSweepSettings(prompt_documents=[0, 2], samples=1, warm_up=0)
    rows = cost_sweep.measure_sweep(build_one, e2rank, work, sweep, name="e2rank")
    assert [row["value"] for row in rows] == [0, 2]
    plain = E2RankSettings(family="e2rank", model="all-minilm-l6-v2", prompt="query-only")
    assert cost_sweep.measure_sweep(lambda _: SleepingReranker(), plain, work, sweep, name="plain") == []
    assert built[1:] == [("query-only", 20), ("eval", 2)]


def test_cached_vectors_are_refused_or_labelled(stored: tuple[Configuration, Layout]) -> None:
    configuration, layout = stored
    models = Models(configuration.cache, threads=1)
    with pytest.raises(UnavailableError, match=r"may come from the cache.*--allow-cached"):
        latency.latency(configuration, "one", "sleep", layout, models=models)
    path = latency.latency(configuration, "one", "sleep", layout, allow_cached=True)
    found = json.loads(path.read_text())
    assert found["resumed"] is True
    assert latency.CACHED in found["labels"]
    assert (found["prefix_cache"], found["modes"]["online"]["flops"]) == (None, None)


def test_tokenising_is_a_share_of_the_total() -> None:
    model = SleepingReranker()
    rank = model.rank

    def tokenise_and_rank(query: Query, candidates: CandidateList) -> Ranking:
        with part(TOKENISATION):
            time.sleep(0.03)
        return rank(query, candidates)

    model.rank = tokenise_and_rank  # type: ignore[method-assign]
    online = measure(model)["modes"]["online"]
    assert 4 * 0.03 / sum(online["seconds"]["total"]) <= online["tokenising"] < 1


def test_operations_are_set_against_the_rate_of_the_device() -> None:
    dataset = collection(6)
    engine = Engine(TransformerShape(1000, 10, 0), matmul_rate=1e6, in_process=True)
    found = latency.measure_latency(
        SleepingReranker, list(dataset.queries.values()), lists_of(dataset), settings(),
        reranker="sleep", threads=1, engine=engine,
    )["modes"]["online"]  # fmt: skip
    # 10 prompt tokens, 7 of documents and 1 written, which goes through the output layer too.
    assert found["flops"] == 2 * 1000 * 17 + 2 * 1010
    assert found["peak_share"] == pytest.approx(found["flops"] * found["queries_per_second"] / 1e6)


@pytest.mark.parametrize(("changes", "problem"), [
    ({}, "needs candidates, prompt_documents or batch"),
    ({"candidates": [10, 5]}, "in rising order"),
    ({"batch": [2, 2]}, "each point once"),
    ({"candidates": [0]}, "greater than or equal to 1"),
])  # fmt: skip
def test_a_sweep_without_sense_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        CostSweepSettings(**changes)
