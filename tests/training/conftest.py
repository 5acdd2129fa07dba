"""A working folder with tiny models that the registry knows, as `models/<name>/`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import AutoTokenizer

from e2rank_eval.config import entries
from e2rank_eval.store.files import sha256_file

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "encoders")]

from small_checkpoints import decoder_entry, encoder_entry, write_bert, write_decoder  # noqa: E402


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``tiny-qwen3`` and ``tiny-bert`` by name, in a working folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    _end_answers(write_decoder(tmp_path / "models" / "tiny-qwen3" / "weights", "qwen3"))
    write_bert(tmp_path / "models" / "tiny-bert" / "weights", {"pooling_mode": "mean"})
    _register("tiny-qwen3", decoder_entry())
    _register("tiny-bert", encoder_entry())
    entries._load.cache_clear()
    yield tmp_path
    entries._load.cache_clear()


def _end_answers(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.save_pretrained(folder)


def _register(name: str, entry: entries.ModelEntry) -> None:
    folder = Path("models") / name
    files = {p.relative_to(folder).as_posix(): sha256_file(p) for p in folder.rglob("*") if p.is_file()}
    fields = entry.model_dump(mode="json", exclude_defaults=True)
    fields["sources"] = [{"kind": "trained", "folder": folder.as_posix(), "files": files}]
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
