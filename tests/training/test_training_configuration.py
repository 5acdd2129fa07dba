"""Training files: those that come with the project, and mistakes by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from e2rank_eval.config.reading import read_entries, read_settings
from e2rank_eval.config.training import Stage1Run, Stage2Run, TrainingFile
from e2rank_eval.datasets.sources.kinds import FolderSource
from e2rank_eval.errors import InputError
from e2rank_eval.models.registry import GivenEntry, registered_model

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "config" / "train").glob("*.yaml"))
SHIPPED = sorted((ROOT / "models").glob("*/training.yaml"))


@pytest.mark.parametrize("path", CONFIGS + SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_training_file_is_valid_and_starts_from_known_models(path: Path) -> None:
    for run in read_settings(TrainingFile, path).runs.values():
        assert run.model is None or registered_model(run.model)


@pytest.mark.parametrize("size", ["0.6b", "4b", "8b"])
def test_both_of_the_papers_contradictory_values_have_a_run(size: str) -> None:
    runs = read_settings(TrainingFile, CONFIGS[0].parent / f"{size}.yaml").runs
    rates = {name: run.optimiser.learning_rate for name, run in runs.items() if isinstance(run, Stage1Run)}
    assert sorted(rates.values()) == [5e-6, 2e-5]
    stage2 = [run for name, run in runs.items() if isinstance(run, Stage2Run) and "-no-" not in name]
    assert [run.steps for run in stage2] == [None, 700]
    assert all((run.ranknet.weight, run.ranknet.temperature) == (2.0, 0.1) for run in stage2 if run.ranknet)


def test_each_row_of_table_6_is_the_papers_stage_2_without_one_part() -> None:
    runs = read_settings(TrainingFile, CONFIGS[0].parent / "0.6b.yaml").runs
    whole = runs["stage2-0.6b"].model_dump(exclude={"title"})
    without = {
        name.removeprefix("stage2-0.6b-no-"): {
            key for key, value in run.model_dump(exclude={"title"}).items() if value != whole[key]
        }
        for name, run in runs.items()
        if "-no-" in name
    }
    assert without == {
        "stage1": {"follows", "model"},
        "info-nce": {"info_nce"},
        "ranknet": {"ranknet"},
        "listwise": {"ranknet"},
    }


def test_the_shipped_weights_are_those_of_the_shipped_recipe() -> None:
    files = CONFIGS[0].parent / "small.yaml", ROOT / "models" / "e2rank-minilm" / "training.yaml"
    ours, recorded = (read_settings(TrainingFile, path).runs["e2rank-minilm"] for path in files)
    assert ours == recorded


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"save": {"dtyp": "float16"}}, "unknown key 'runs.run.save.dtyp'"),
        ({"objective": "stage3"}, "unknown objective 'stage3'"),
        ({"batch": 3, "device_batch": 2}, "a multiple of device_batch"),
        ({"follows": "run"}, "give model or follows"),
        ({"data": [{"path": "a", "share": 3}]}, "sum to 4"),
        ({"info_nce": None, "ranknet": None}, "give info_nce, ranknet or list_net"),
        ({"collection": {"dataset": "scifact"}}, "give data or collection"),
        ({"frozen_documents": True}, "vector: must be listwise"),
        ({"deepspeed": "zero3.json", "lora": {}}, "cannot be used with deepspeed"),
        ({"save": {"trained": 0.5}, "lora": {}}, "must be 1 with lora"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    changes: dict[str, Any], problem: str, training_file: Callable[..., Path]
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        read_settings(TrainingFile, training_file(**changes))
    assert caught.value.line is not None
    assert caught.value.hint


@pytest.mark.parametrize("folder", [path.parent for path in SHIPPED], ids=lambda path: path.name)
def test_shipped_weights_are_small_and_those_of_their_entry(folder: Path) -> None:
    ((name, entry),) = read_entries(GivenEntry, [folder / "entry.yaml"]).items()
    (source,) = entry.sources
    assert isinstance(source, FolderSource)
    weights = folder if source.base else folder / "weights"
    assert (name, ROOT / source.folder) == (folder.name, weights)
    assert 0 < sum(path.stat().st_size for path in weights.glob("*.safetensors")) <= 50_000_000


def test_only_encoder_layers_of_the_shipped_encoder_were_trained_so_plain_vectors_stay() -> None:
    folder = ROOT / "models" / "e2rank-minilm"
    assert read_entries(GivenEntry, [folder / "entry.yaml"])[folder.name].plain_model == "all-minilm-l6-v2"
    with safe_open(folder / "weights.safetensors", framework="numpy") as weights:
        assert all(name.startswith("encoder.layer.") for name in weights.keys())  # noqa: SIM118
