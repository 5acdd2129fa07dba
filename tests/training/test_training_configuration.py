"""Training files: those that come with the project, and mistakes by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2rank_eval.configuration import Stage1Run, Stage2Run, read_training
from e2rank_eval.errors import InputError
from e2rank_eval.registry import entries

CONFIGS = sorted((Path(__file__).parents[2] / "config" / "train").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_training_file_is_valid_and_starts_from_known_models(path: Path) -> None:
    for run in read_training(path).runs.values():
        assert run.model is None or entries.model(run.model)


@pytest.mark.parametrize("size", ["0.6b", "4b", "8b"])
def test_both_of_the_papers_contradictory_values_have_a_run(size: str) -> None:
    runs = read_training(CONFIGS[0].parent / f"{size}.yaml").runs
    rates = {name: run.optimiser.learning_rate for name, run in runs.items() if isinstance(run, Stage1Run)}
    assert sorted(rates.values()) == [5e-6, 2e-5]
    stage2 = [run for run in runs.values() if isinstance(run, Stage2Run)]
    assert [run.steps for run in stage2] == [None, 700]
    assert all((run.ranknet.weight, run.ranknet.temperature) == (2.0, 0.1) for run in stage2 if run.ranknet)


def test_the_ablation_differs_from_the_shipped_recipe_in_its_losses_alone() -> None:
    shipped = read_training(CONFIGS[0].parent / "small.yaml").runs["e2rank-minilm"]
    losses = {"title", "info_nce", "ranknet", "direction"}
    variants = read_training(CONFIGS[0].parent / "ablation.yaml").runs
    for run in variants.values():
        assert run.model_dump(exclude=losses) == shipped.model_dump(exclude=losses)
    assert variants["ablation-full"].model_dump(exclude={"title"}) == shipped.model_dump(exclude={"title"})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"save": {"dtyp": "float16"}}, "unknown key 'runs.run.save.dtyp'"),
        ({"objective": "stage3"}, "unknown objective 'stage3'"),
        ({"batch": 3, "device_batch": 2}, "a multiple of device_batch"),
        ({"follows": "run"}, "give model or follows"),
        ({"data": [{"path": "a", "share": 3}]}, "together they are 4"),
        ({"info_nce": None, "ranknet": None}, "give info_nce, ranknet or both"),
        ({"frozen_documents": True}, "vector: listwise"),
        ({"deepspeed": "zero3.json", "gradient_cache": 64}, "not with deepspeed"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    changes: dict[str, Any], problem: str, training_file: Callable[..., Path]
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        read_training(training_file(**changes))
    assert caught.value.line is not None
    assert caught.value.mend
