"""GGUF files are dequantised once for each content, atomically."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from e2rank_eval.errors import InputError
from e2rank_eval.models import checkpoints
from e2rank_eval.models.checkpoints import loadable_folder


@pytest.mark.slow
def test_smollm2_keeps_the_files_weights(smollm2_path: Path) -> None:
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors import safe_open

    tensors = {tensor.name: tensor for tensor in GGUFReader(smollm2_path / _gguf_name(smollm2_path)).tensors}
    with safe_open(loadable_folder(smollm2_path, "gguf") / "model.safetensors", "np") as stored:
        for ours, theirs in (
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("model.layers.29.mlp.down_proj.weight", "blk.29.ffn_down.weight"),
        ):
            source = tensors[theirs]
            np.testing.assert_array_equal(
                stored.get_tensor(ours), dequantize(source.data, source.tensor_type)
            )


def _gguf_name(folder: Path) -> str:
    return next(folder.glob("*.gguf")).name


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Replaces the slow reading of a GGUF file by a small model, and lists what was read."""
    read: list[Path] = []

    class Tokenizer:
        def save_pretrained(self, folder: Path) -> None:
            (folder / "tokenizer.json").write_text("{}")

    def small(source: Path) -> tuple[Any, Any]:
        read.append(source)
        shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "vocab_size": 9}
        return LlamaForCausalLM(LlamaConfig(num_attention_heads=2, **shape)), Tokenizer()

    monkeypatch.setattr(checkpoints, "_read_gguf", small)
    (tmp_path / "model.gguf").write_bytes(b"GGUF of some kind")
    return read


def test_a_conversion_is_made_once_for_each_content(conversions: list[Path], tmp_path: Path) -> None:
    first = loadable_folder(tmp_path, "gguf")
    assert loadable_folder(tmp_path, "gguf") == first
    assert conversions == [tmp_path / "model.gguf"]
    assert {path.name for path in tmp_path.iterdir()} <= {"model.gguf", first.name, ".made.lock"}
    assert json.loads((first / "tokenizer.json").read_text()) == {}
    (tmp_path / "model.gguf").write_bytes(b"GGUF of another revision")
    assert loadable_folder(tmp_path, "gguf") != first
    assert len(conversions) == 2


def test_a_failed_conversion_leaves_nothing(
    conversions: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LlamaForCausalLM, "save_pretrained", killed)
    with pytest.raises(KeyboardInterrupt):
        loadable_folder(tmp_path, "gguf")
    assert {path.name for path in tmp_path.iterdir()} <= {"model.gguf", ".made.lock"}


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 GGUF files"):
        loadable_folder(tmp_path, "gguf")
    with pytest.raises(InputError, match=r"no config\.json"):
        loadable_folder(tmp_path, "transformers")
    (tmp_path / "broken.gguf").write_bytes(b"not GGUF at all")
    with pytest.raises(InputError, match=r"broken\.gguf: cannot be read as GGUF"):
        loadable_folder(tmp_path, "gguf")
    assert not list(tmp_path.glob("dequantised*"))
