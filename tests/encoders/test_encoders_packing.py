"""Packed sequences have the vectors of each sequence alone; models with other attention are padded."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_checkpoints import decoder_entry, encoder_entry, write_bert, write_decoder, write_form
from transformers import AutoConfig, AutoModel, ElectraConfig, ElectraModel

from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import plan_batches
from e2rank_eval.models.encoders.backbone import TokenSequence
from e2rank_eval.models.engines.packing import can_pack
from e2rank_eval.models.engines.transformers_encoder import TransformersBackbone

LONGROPE = {
    "rope_type": "longrope", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64,
    "short_factor": [1.0] * 8, "long_factor": [4.0] * 8,
}  # fmt: skip
SLIDING = {"use_sliding_window": True, "sliding_window": 8, "layer_types": ["sliding_attention"] * 2}
LENGTHS = [1, 2, 2, 2, 37, 90, 90, 5, 1, 64]


def sequences() -> list[TokenSequence]:
    draw = np.random.default_rng(3)
    rows = [tuple(int(token) for token in draw.integers(5, 30, length)) for length in LENGTHS]
    return [TokenSequence(ids, len(ids) // 3, len(ids)) for ids in rows]


@torch.inference_mode()
def alone(folder: Path, given: list[TokenSequence]) -> np.ndarray:
    """Unit mean states of each sequence, run by itself through the model as transformers loads it."""
    model = AutoModel.from_pretrained(folder).eval()
    means = [
        model(input_ids=torch.tensor([one.ids])).last_hidden_state[0, one.start : one.stop].mean(0)
        for one in given
    ]
    return torch.nn.functional.normalize(torch.stack(means)).numpy()


def backbone_of(folder: Path, *, causal: bool) -> TransformersBackbone:
    return TransformersBackbone(folder, (decoder_entry if causal else encoder_entry)(window=128))


@pytest.mark.parametrize("architecture", ["bert", "xlm-roberta", "llama", "qwen3"])
@pytest.mark.parametrize("stable", [True, False])
def test_packed_vectors_are_those_of_each_sequence_alone(
    architecture: str, stable: bool, tmp_path: Path
) -> None:
    causal = architecture in ("llama", "qwen3")
    folder = (
        write_decoder(tmp_path, architecture) if causal else write_form(tmp_path, architecture, pooling={})
    )
    backbone = backbone_of(folder, causal=causal)
    assert can_pack(backbone.model)
    given = sequences()
    found = backbone.vectors(given, stable=stable)
    np.testing.assert_allclose(found, alone(folder, given), atol=2e-6)
    # Between two calls the model is as it was, for training and for whoever else runs it padded.
    (batch,) = plan_batches([90, 90], window=128)
    with torch.inference_mode():
        padded = torch.nn.functional.normalize(backbone.pooled(batch, given[5:7])).numpy()
    np.testing.assert_allclose(found[5:7], padded, atol=2e-6)


def test_an_architecture_that_was_not_compared_is_padded(tmp_path: Path) -> None:
    folder = write_bert(tmp_path, {})
    shape = AutoConfig.from_pretrained(folder).to_dict()
    torch.manual_seed(7)
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    config = ElectraConfig(max_position_embeddings=160, **{name: shape[name] for name in names})
    ElectraModel(config).save_pretrained(folder)
    backbone = backbone_of(folder, causal=False)
    assert not can_pack(backbone.model)
    np.testing.assert_allclose(
        backbone.vectors(sequences(), stable=True), alone(folder, sequences()), atol=2e-6
    )


@pytest.mark.parametrize(
    ("family", "wish"),
    [
        ("qwen3", {"is_causal": False}),
        ("llama", {"is_causal": False}),
        ("llama", {"rope_parameters": LONGROPE}),
        (
            "qwen3",
            {"use_sliding_window": True, "sliding_window": 8, "layer_types": ["sliding_attention"] * 2},
        ),
        ("bert", {"chunk_size_feed_forward": 8}),
    ],
)
def test_what_depends_on_other_sequences_or_on_a_mask_is_padded(
    family: str, wish: dict[str, Any], tmp_path: Path
) -> None:
    """Both-way attention and sliding windows are in the mask, long positions in the longest sequence."""
    folder = write_bert(tmp_path, {}) if family == "bert" else write_decoder(tmp_path, family)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | wish))
    backbone = backbone_of(folder, causal=False)
    assert not can_pack(backbone.model)
    if family != "bert":  # alone, chunks of 8 need a length of their own
        found = backbone.vectors(sequences(), stable=True)
        np.testing.assert_allclose(found, alone(folder, sequences()), atol=2e-6)


def test_threads_take_turns_and_leave_the_attention_as_it_was(tmp_path: Path) -> None:
    backbone = backbone_of(write_decoder(tmp_path, "qwen3"), causal=True)
    expected = backbone.vectors(sequences(), stable=True)
    before = backbone.model.config._attn_implementation
    with ThreadPoolExecutor(3) as pool:
        turns = [pool.submit(backbone.vectors, sequences(), stable=True) for _ in range(12)]
        for turn in turns:
            np.testing.assert_array_equal(turn.result(), expected)
    assert backbone.model.config._attn_implementation == before


def test_a_sequence_without_a_token_is_named(tmp_path: Path) -> None:
    backbone = backbone_of(write_bert(tmp_path, {}), causal=False)
    with pytest.raises(InputError, match="text 2 of 2 has no token"):
        backbone.vectors([TokenSequence((5, 6), 0, 2), TokenSequence((), 0, 0)], stable=False)
