"""The lists of a step: one source or fixed shares, each list once an epoch, the same every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from toy_lists import toy_lists, write_toy

from e2rank_eval.config.training import Stage1Run
from e2rank_eval.errors import InputError
from e2rank_eval.training.data import Schedule, read_data
from e2rank_eval.training.lists import write_lists


def _settings(*paths: Path, **changes: Any) -> Stage1Run:
    values: dict[str, Any] = {
        "objective": "stage1", "title": "t", "model": "m", "batch": 4, "optimiser": {"learning_rate": 1e-3},
        "data": [{"path": path} for path in paths],
    }  # fmt: skip
    return Stage1Run.model_validate(values | changes)


def _schedule(settings: Stage1Run) -> Schedule:
    return Schedule(settings, read_data(settings, Path("cache")).files)


def test_a_step_is_of_one_source_and_an_epoch_sees_each_list_once(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    write_lists(path, toy_lists(13, source="a", seed=1) + toy_lists(8, source="b", seed=2))
    schedule = _schedule(_settings(path, epochs=2))
    assert schedule.steps == 10
    steps = [[item for part in schedule.step(number) for item in part] for number in range(10)]
    assert all(len({item.source for item in step}) == 1 for step in steps)
    for epoch in (steps[:5], steps[5:]):
        seen = Counter(id(item) for step in epoch for item in step)
        assert set(seen.values()) == {1}
        assert len(seen) == 20
    assert steps[:5] != steps[5:]


def test_steps_depend_on_nothing_but_their_number(tmp_path: Path) -> None:
    settings = _settings(write_toy(tmp_path / "s.jsonl"), epochs=2, device_batch=2)
    forward, backward = _schedule(settings), _schedule(settings)
    ahead = [forward.step(number) for number in range(forward.steps)]
    assert ahead == [backward.step(number) for number in reversed(range(forward.steps))][::-1]
    assert all(len(step) == 2 and all(len(part) == 2 for part in step) for step in ahead)


def test_shares_fill_every_part_and_a_short_file_begins_anew(tmp_path: Path) -> None:
    long, short = tmp_path / "long.jsonl", tmp_path / "short.jsonl"
    write_lists(long, toy_lists(30, source="long", seed=1))
    write_lists(short, toy_lists(3, source="short", seed=2))
    data = [{"path": long, "share": 3}, {"path": short, "share": 1}]
    schedule = _schedule(_settings(data=data, steps=6, batch=8, device_batch=4))
    parts = [part for number in range(6) for part in schedule.step(number)]
    assert all([item.source for item in part] == ["long"] * 3 + ["short"] for part in parts)
    counts = Counter(item.query + item.documents[0] for part in parts for item in part[3:])
    assert set(counts.values()) == {4}  # twelve draws of three lists
    assert len({id(item) for part in parts[:10] for item in part[:3]}) == 30


def test_too_few_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no source has the 4 training lists"):
        _schedule(_settings(write_toy(tmp_path / "s.jsonl", 3)))
