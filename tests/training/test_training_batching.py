"""Which slates an update sees: one source or fixed shares, each slate once an epoch, the same every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from slate_files import toy_slates, write_toy

from e2rank_eval.config import Stage1Run
from e2rank_eval.errors import InputError
from e2rank_eval.training.batching import Schedule
from e2rank_eval.training.slates import write_slates


def _settings(*paths: Path, **changes: Any) -> Stage1Run:
    values: dict[str, Any] = {
        "objective": "stage1", "title": "t", "model": "m", "batch": 4, "optimiser": {"learning_rate": 1e-3},
        "data": [{"path": path} for path in paths],
    }  # fmt: skip
    return Stage1Run.model_validate(values | changes)


def test_an_update_is_of_one_source_and_an_epoch_sees_each_slate_once(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    write_slates(path, toy_slates(13, source="a", seed=1) + toy_slates(8, source="b", seed=2))
    schedule = Schedule(_settings(path, epochs=2))
    assert schedule.steps == 10
    assert schedule.left_out == 1
    updates = [[slate for part in schedule.update(step) for slate in part] for step in range(10)]
    assert all(len({slate.source for slate in update}) == 1 for update in updates)
    for epoch in (updates[:5], updates[5:]):
        seen = Counter(id(slate) for update in epoch for slate in update)
        assert set(seen.values()) == {1}
        assert len(seen) == 20
    assert updates[:5] != updates[5:]


def test_updates_depend_on_nothing_but_their_number(tmp_path: Path) -> None:
    settings = _settings(write_toy(tmp_path / "s.jsonl"), epochs=2, device_batch=2)
    forward, backward = Schedule(settings), Schedule(settings)
    ahead = [forward.update(step) for step in range(forward.steps)]
    assert ahead == [backward.update(step) for step in reversed(range(forward.steps))][::-1]
    assert all(len(update) == 2 and all(len(part) == 2 for part in update) for update in ahead)


def test_shares_fill_every_part_and_a_short_file_begins_anew(tmp_path: Path) -> None:
    long, short = tmp_path / "long.jsonl", tmp_path / "short.jsonl"
    write_slates(long, toy_slates(30, source="long", seed=1))
    write_slates(short, toy_slates(3, source="short", seed=2))
    data = [{"path": long, "share": 3}, {"path": short, "share": 1}]
    schedule = Schedule(_settings(data=data, steps=6, batch=8, device_batch=4))
    parts = [part for step in range(6) for part in schedule.update(step)]
    assert all([slate.source for slate in part] == ["long"] * 3 + ["short"] for part in parts)
    counts = Counter(slate.query + slate.documents[0] for part in parts for slate in part[3:])
    assert set(counts.values()) == {4}  # twelve draws of three slates
    assert len({id(slate) for part in parts[:10] for slate in part[:3]}) == 30


def test_too_few_slates_are_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path / "s.jsonl", 3)
    with pytest.raises(InputError, match="no source has the 4 slates"):
        Schedule(_settings(path))
