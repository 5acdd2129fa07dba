"""Learning curves drawn from a run's log, and refusals of bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.report.learning_curves import draw_curves, read_curves, write_curves
from e2rank_eval.training.checkpoints import Log

SHIPPED = Path(__file__).parents[2] / "models" / "e2rank-minilm"


def _run(folder: Path, *, watched: bool) -> Path:
    folder.mkdir()
    log = Log(folder, 0)
    for step in range(1, 5):
        log.write(step, {"loss": 4.0 / step, "learning_rate": 1e-5})
        if watched and step % 2 == 0:
            log.write(step, {"score": 0.1 * step, "pairs": 0.6}, group="development")
    return folder


def test_the_shipped_run_is_drawn_from_its_log(tmp_path: Path) -> None:
    paths = write_curves([SHIPPED], tmp_path / "curves")
    assert [path.name for path in paths] == ["curves.csv", "curves.svg", "curves.png"]
    with paths[0].open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    losses = [row for row in rows if row["measure"] == "loss"]
    lines = (SHIPPED / "log.jsonl").read_text(encoding="utf-8").splitlines()
    logged = [line for line in map(json.loads, lines) if line["group"] == "train"]
    assert [int(row["step"]) for row in losses] == [line["step"] for line in logged]
    assert [float(row["value"]) for row in losses] == pytest.approx([line["loss"] for line in logged])
    assert {"train", "development"} == {row["group"] for row in rows}
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_curves([SHIPPED], tmp_path / "curves")] == first


def test_a_watched_run_has_a_second_panel(tmp_path: Path) -> None:
    watched, other = _run(tmp_path / "a", watched=True), _run(tmp_path / "b", watched=False)
    drawing = draw_curves([read_curves(watched), read_curves(other)])
    loss, score = drawing.figure.axes
    assert list(loss.lines[0].get_ydata()) == pytest.approx([4.0, 3.0, 22 / 9, 25 / 12])
    assert [line.get_label() for line in loss.lines] == ["a", "b"]
    assert list(score.lines[0].get_xdata()) == [2, 4]
    assert list(score.lines[0].get_ydata()) == pytest.approx([20.0, 40.0])
    assert len(draw_curves([read_curves(other)]).figure.axes) == 1


def test_two_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    runs = [_run(tmp_path / "a", watched=False), _run(tmp_path / "x" / "a", watched=False)]
    with pytest.raises(InputError, match="two runs are called 'a'"):
        write_curves(runs, tmp_path / "curves")


def test_a_file_that_is_not_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no log of a training run"):
        read_curves(tmp_path)
    (tmp_path / "log.jsonl").write_text('{"step": 1, "group": "train", "loss": 1.0}\n{"query": "q"}\n')
    with pytest.raises(InputError, match="not a line of a training log") as caught:
        read_curves(tmp_path)
    assert "log.jsonl:2" in str(caught.value)
    (tmp_path / "log.jsonl").write_text('{"step": 1, "group": "train", "loss": null}\n')
    with pytest.raises(InputError, match=r"log\.jsonl:1: loss is not a number"):
        read_curves(tmp_path)
