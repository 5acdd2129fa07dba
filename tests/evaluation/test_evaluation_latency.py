"""The latency protocol on a reranker whose work is sleep, and the command on a stored collection."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sleeping_reranker import ENCODE, PROMPT, SleepingReranker, collection, measure, settings, work_of

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError, QueryError, UnavailableError
from e2rank_eval.evaluation import latency, machine, samples
from e2rank_eval.evaluation.flops import Engine, TransformerShape
from e2rank_eval.models.loading import Models
from e2rank_eval.models.timing import TOKENISATION, part
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.store.collections import write_candidates
from e2rank_eval.store.layout import CANDIDATES, LATENCY, Layout


@pytest.mark.parametrize(("totals", "agreed"), [
    ([1.0, 1.0], False), ([1.0, 1.05, 1.1], True), ([1.0, 1.05, 1.11], False),
    ([9.0, 1.0, 1.05, 1.1], True), ([1.0, 1.0, 1.0, 2.0], False), ([0.0, 0.0, 0.0], True),
])  # fmt: skip
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
    online = measure(model)["online"]
    assert model.ranked == ["q4"] * online.warm_up + ["q0", "q1", "q2", "q3"]
    assert online.samples == len(online.seconds["total"]) == 4
    assert 3 <= online.warm_up <= 5


def test_fewer_queries_than_samples_are_all_timed_once() -> None:
    model = SleepingReranker()
    online = measure(model, queries=3, samples=50, warm_up=2)["online"]
    assert model.ranked == ["q2", "q2", "q0", "q1", "q2"]
    assert (online.samples, online.warm_up, online.warm_up_agreed) == (3, 2, False)


def test_stored_documents_take_their_time_before_the_clock() -> None:
    model = SleepingReranker(stores_documents=True)
    modes = measure(model, document_vectors=["stored", "online"])
    assert list(modes) == ["online", "stored"]
    online, stored = modes["online"], modes["stored"]
    assert min(online.seconds["total"]) >= ENCODE + PROMPT
    assert PROMPT <= min(stored.seconds["total"]) < ENCODE + PROMPT
    assert (online.document_tokens, stored.document_tokens) == (7.0, 0.0)
    assert stored.prepared_documents == 3
    assert set(stored.seconds) == {"documents", "prompt", "total"}
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
    assert list(measure(model, samples=1, document_vectors=asked)) == modes
    assert bool(model.prepared) == ("stored" in modes)


def test_times_are_measured_around_the_ranking_whatever_it_says_of_its_total() -> None:
    online = measure(SleepingReranker())["online"]
    assert all(ENCODE + PROMPT <= total < 1.0 for total in online.seconds["total"])
    assert online.queries_per_second == pytest.approx(4 / sum(online.seconds["total"]))
    assert online.interval[0] <= online.mean <= online.interval[1]
    assert online.percentiles["prompt"] == {"p50": PROMPT, "p90": None, "p99": None}
    assert (online.prompt_tokens, online.output_tokens, online.candidates) == (10.0, 1.0, 3.0)


def test_a_failing_query_is_named() -> None:
    with pytest.raises(QueryError, match="'q1' could not be ranked: ValueError: no such word"):
        measure(SleepingReranker(failing="q1"))


def test_the_verb_writes_what_it_measured_and_a_manifest(stored: tuple[Configuration, Layout]) -> None:
    configuration, layout = stored
    path = latency.latency(configuration, "one", "sleep", layout)
    assert path == layout.path(LATENCY, dataset="toy", first_stage="bm25", reranker="sleep")
    found = json.loads(path.read_text())
    assert (found["dataset"], found["first_stage"], found["reranker"]) == ("toy", "bm25", "sleep")
    assert (found["threads"], sorted(found["modes"])) == (1, ["online", "stored"])
    assert found["device"]
    assert latency.REHEARSED not in found["labels"]
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


def test_what_limits_a_measurement_is_labelled(stored: tuple[Configuration, Layout]) -> None:
    configuration, layout = stored
    entry = configuration.latency["one"].model_copy(update={"samples": 50})
    few = configuration.model_copy(update={"latency": {"one": entry}})
    found = json.loads(latency.latency(few, "one", "sleep", layout).read_text())
    assert latency.REHEARSED in found["labels"]
    candidates = layout.path(CANDIDATES, dataset="toy", first_stage="bm25")
    write_candidates(candidates, [CandidateList(f"q{i}", ()) for i in range(6)])
    with pytest.raises(InputError, match="no query has a candidate to time"):
        latency.latency(few, "one", "sleep", layout)


def test_two_measurements_never_run_at_once(
    stored: tuple[Configuration, Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "LOCK_WAIT", 0.1)
    with ThreadPoolExecutor(1) as other, machine.alone():
        running = other.submit(latency.latency, stored[0], "one", "sleep", stored[1])
        with pytest.raises(UnavailableError, match="another process is working on a latency measurement"):
            running.result(timeout=30)
    with machine.alone():
        pass


def test_cached_vectors_are_refused_or_labelled(stored: tuple[Configuration, Layout]) -> None:
    configuration, layout = stored
    models = Models(configuration.cache, threads=1)
    with pytest.raises(UnavailableError, match=r"may come from the cache.*--allow-cached"):
        latency.latency(configuration, "one", "sleep", layout, models=models)
    path = latency.latency(configuration, "one", "sleep", layout, allow_cached=True)
    found = json.loads(path.read_text())
    assert latency.CACHED in found["labels"]
    assert found["modes"]["online"]["flops"] is None


def test_tokenising_is_a_share_of_the_total() -> None:
    model = SleepingReranker()
    rank = model.rank_candidates

    def tokenise_and_rank(queries: Sequence[Query], lists: Sequence[CandidateList]) -> list[Ranking]:
        with part(TOKENISATION):
            time.sleep(0.03)
        return rank(queries, lists)

    model.rank_candidates = tokenise_and_rank  # type: ignore[method-assign]
    online = measure(model)["online"]
    assert 4 * 0.03 / sum(online.seconds["total"]) <= online.tokenising < 1


def test_operations_are_set_against_the_rate_of_the_device() -> None:
    dataset = collection(6)
    engine = Engine(TransformerShape(1000, 10, 0), matmul_rate=1e6)
    found = latency.measure_modes(
        SleepingReranker(), work_of(dataset), settings(), name="sleep", seed=13, engine=engine
    )["online"]
    # 10 prompt tokens, 7 of documents and 1 written, which goes through the output layer too.
    assert found.flops == 2 * 1000 * 17 + 2 * 1010
    assert found.peak_share == pytest.approx(found.flops * found.queries_per_second / 1e6)
