"""A working folder with tiny models that the registry knows, as `models/<name>/`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import AutoTokenizer

from e2rank_eval.config.reading import read_settings
from e2rank_eval.config.training import TrainingFile
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.training.train import train

sys.path[:0] = [str(Path(__file__).parents[1] / "encoders")]

from small_checkpoints import decoder_entry, encoder_entry, write_bert, write_decoder  # noqa: E402
from toy_lists import write_toy  # noqa: E402


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``tiny-qwen3`` and ``tiny-bert`` by name, and ``lists.jsonl``, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    decoder = write_decoder(tmp_path / "models" / "tiny-qwen3" / "weights", "qwen3")
    tokenizer = AutoTokenizer.from_pretrained(decoder)
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.save_pretrained(decoder)
    write_bert(tmp_path / "models" / "tiny-bert" / "weights", {"pooling_mode": "mean"})
    _register("tiny-qwen3", decoder_entry())
    _register("tiny-bert", encoder_entry())
    write_toy(tmp_path / "lists.jsonl")
    return tmp_path


def _register(name: str, entry: ModelEntry) -> None:
    folder = Path("models") / name
    fields = entry.model_dump(mode="json", exclude_defaults=True)
    fields["sources"] = [{"kind": "folder", "folder": (folder / "weights").as_posix()}]
    (folder / "entry.yaml").write_text(yaml.safe_dump({name: fields}))


@pytest.fixture
def training_file(workplace: Path) -> Callable[..., Path]:
    """Writes a training file with one run named ``run``; keywords replace its settings."""

    def write(**changes: Any) -> Path:
        settings: dict[str, Any] = {
            "objective": "stage2", "title": "tiny", "model": "tiny-bert",
            "steps": 6, "batch": 4, "threads": 1,
            "data": [{"path": "lists.jsonl"}], "document_tokens": 32, "query_tokens": 32,
            "optimiser": {"learning_rate": 1e-3}, "checkpoint_every": 2,
        }  # fmt: skip
        path = workplace / "training.yaml"
        path.write_text(yaml.safe_dump({"runs": {"run": settings | changes}}))
        return path

    return write


@pytest.fixture
def trained(training_file: Callable[..., Path]) -> Callable[..., Path]:
    """Trains the run of :func:`training_file`; returns its folder, which the registry then knows."""

    def run(**changes: Any) -> Path:
        return train(read_settings(TrainingFile, training_file(**changes)), "run").parent

    return run
