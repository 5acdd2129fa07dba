"""Shards: stored once, read again, keyed by what decides them; a query that fails is named and retried."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from reranking import candidates

from e2rank_eval.errors import QueryError, UnavailableError
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.execution import Shard, ranked_shards

QUERIES = [Query(f"q{number}", f"query {number}") for number in range(5)]
LISTS = [candidates(["one", "two", "three"], query.id) for query in QUERIES]


class Backwards(Reranker):
    """Reverses every list, except that of the query ``failing``, which fails; records what it is given."""

    def __init__(
        self, failing: str = "", fingerprint: str = "backwards", error: type[Exception] = ValueError
    ) -> None:
        self.failing, self.fingerprint, self.error = failing, fingerprint, error
        self.asked: list[list[str]] = []

    def rank_candidates(self, queries: Sequence[Query], lists: Sequence[CandidateList]) -> list[Ranking]:
        self.asked.append([query.id for query in queries])
        if self.failing in self.asked[-1]:
            raise self.error("no answer")
        return [Ranking(one, tuple(reversed(range(len(one)))), QueryStats(calls=1)) for one in lists]


def shards(
    model: Reranker, cache: Path, lists: Sequence[CandidateList] = LISTS, **options: Any
) -> list[Shard]:
    return list(ranked_shards(model, QUERIES, lists, cache=cache, size=2, what="ranking", **options))


def test_a_finished_shard_is_read_again_unless_something_that_decides_it_changes(tmp_path: Path) -> None:
    first = shards(Backwards(), tmp_path)
    rows = [row for shard in first for row in shard.rows]
    assert [row["query_id"] for row in rows] == [query.id for query in QUERIES]
    assert {tuple(row["ranking"]) for row in rows} == {("2", "1", "0")}
    again = Backwards()
    assert [shard.rows for shard in shards(again, tmp_path)] == [shard.rows for shard in first]
    assert again.asked == []
    assert len(shards(other := Backwards(fingerprint="other"), tmp_path)) == len(other.asked) == 3
    changed = [candidates(["one", "two", "four"], "q0"), *LISTS[1:]]
    assert [shard.reused for shard in shards(again, tmp_path, changed)] == [False, True, True]
    assert again.asked == [["q0", "q1"]]


def test_a_truncated_shard_is_ranked_again_and_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = shards(Backwards(), tmp_path)
    truncated = min(tmp_path.rglob("*.json"))
    truncated.write_bytes(truncated.read_bytes()[:-20])
    again = shards(Backwards(), tmp_path)
    assert sorted(shard.reused for shard in again) == [False, True, True]
    assert [shard.rows for shard in again] == [shard.rows for shard in first]
    assert f"{truncated}: truncated or corrupt" in capsys.readouterr().err


def test_a_query_that_fails_stops_the_run_with_its_id_and_loses_no_finished_shard(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="'q3' could not be ranked: ValueError: no answer"):
        shards(Backwards("q3"), tmp_path)
    assert [shard.reused for shard in shards(Backwards(), tmp_path)] == [True, False, False]


def test_a_server_that_is_down_is_asked_once_unless_queries_keep_their_first_stage_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Backwards("q3", error=UnavailableError)
    with pytest.raises(UnavailableError, match=r"^no answer$"):
        shards(model, tmp_path)
    assert model.asked[-1] == ["q2", "q3"]
    assert "no answer" not in capsys.readouterr().err
    shards(model, tmp_path, on_error="keep-first-stage")
    assert model.asked[-2:] == [["q3"], ["q4"]]


def test_a_query_that_kept_its_first_stage_order_is_tried_again_by_the_next_call(tmp_path: Path) -> None:
    kept = [row for one in shards(Backwards("q3"), tmp_path, on_error="keep-first-stage") for row in one.rows]
    assert [row["query_id"] for row in kept if row["ranking"] == ["0", "1", "2"]] == ["q3"]
    assert [row["statistics"]["kept_first_stage"] for row in kept[2:4]] == [None, "ValueError: no answer"]
    found = shards(Backwards(), tmp_path, on_error="keep-first-stage")
    assert [shard.reused for shard in found] == [True, False, True]
    assert all(row["ranking"] == ["2", "1", "0"] for shard in found for row in shard.rows)
