"""Every form that sentence-transformers saves gives its vectors or is refused; E2Rank's input on each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm
from small_checkpoints import TEXTS, encoder_entry, write_form
from transformers import AutoModel, AutoTokenizer

from e2rank_eval.cli.doctor import examine_model
from e2rank_eval.errors import InputError
from e2rank_eval.models.loading import Models, load_encoder
from e2rank_eval.records import ListwiseInput

MEAN = {"pooling_mode": "mean"}
PROMPTS = {"prompts": {"query": "query: ", "document": "the passage: "}}
WITHOUT = {"include_prompt": False}
DENSE = ("Transformer", "Pooling", "Dense", "Normalize")

FORMS: dict[str, dict[str, Any]] = {
    "mean, older notation": {"pooling": {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}},
    "several modes, older notation": {
        "pooling": {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}
    },
    **{
        f"{mode}": {"pooling": {"pooling_mode": mode}}
        for mode in ("cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean")
    },
    "several modes": {"pooling": {"pooling_mode": ["max", "lasttoken"]}},
    "not normalised": {"pooling": MEAN, "modules": ("Transformer", "Pooling")},
    "dense": {"pooling": MEAN, "modules": DENSE, "layers": (Dense(64, 24), None)},
    "dense on a sum": {
        "pooling": {"pooling_mode": "mean_sqrt_len_tokens"}, "modules": DENSE,
        "layers": (Dense(64, 64, bias=False, activation_function=torch.nn.GELU(), use_residual=True), None),
    },
    "layers": {
        "pooling": {"pooling_mode": ["cls", "mean"]},
        "modules": ("Transformer", "Pooling", "Normalize", "Dense", "LayerNorm"),
        "layers": (Dense(128, 32, activation_function=torch.nn.Identity()), LayerNorm(32)),
    },
    "prompts": {"pooling": MEAN, "configuration": PROMPTS},
    "fewer dimensions": {"pooling": MEAN, "configuration": PROMPTS | {"truncate_dim": 12}},
    **{
        f"prompts not pooled, {mode}": {
            "pooling": {"pooling_mode": mode} | WITHOUT, "configuration": PROMPTS
        }
        for mode in ("mean", "cls", "weightedmean", "lasttoken")
    },
    "lower case": {"pooling": MEAN, "transformer": {"do_lower_case": True}},
    "bfloat16": {"pooling": MEAN, "dtype": "bfloat16"},
    "shards": {"pooling": MEAN, "max_shard_size": "50KB"},
    "positions from the padding token's": {
        "body": "xlm-roberta", "pooling": MEAN, "transformer": {"max_seq_length": 512}
    },
    "the encoder of a T5": {"body": "t5", "pooling": MEAN, "modules": DENSE, "layers": (Dense(64, 64), None)},
    "causal, last token": {
        "body": "qwen3", "pooling": {"pooling_mode_lasttoken": True}, "configuration": PROMPTS
    },
    "causal, mean": {"body": "qwen3", "pooling": MEAN | WITHOUT, "configuration": PROMPTS},
}  # fmt: skip


def write(folder: Path, name: str) -> Path:
    form = dict(FORMS[name])
    layers = tuple(one for one in form.pop("layers", ()) if one is not None)
    modules = form.get("modules", ())
    if layers and modules[-1] == "Normalize":  # has nothing to save
        form["modules"] = modules[:-1]
    return write_form(folder, **form, layers=layers)


def load(folder: Path, **changes: Any) -> Any:
    return load_encoder(folder, encoder_entry(**changes), file_hashes={})


@pytest.mark.parametrize("name", FORMS)
def test_vectors_are_those_of_sentence_transformers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path, name)
    peer = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    expected = {
        "query": peer.encode_query(TEXTS, normalize_embeddings=True),
        "document": peer.encode_document(TEXTS, normalize_embeddings=True),
    }
    limits = dict.fromkeys(("window", "document_tokens", "query_tokens"), 512) if "positions" in name else {}
    for packed in (True, False):
        if not packed:
            monkeypatch.setattr("e2rank_eval.models.engines.transformers_encoder.can_pack", lambda _: False)
        encoder = load(folder, **limits)
        for kind, vectors in expected.items():
            encoded = encoder.encode(TEXTS, kind)
            np.testing.assert_allclose(encoded.vectors, vectors, atol=1e-5)
            alone = encoder.encode(TEXTS[2:3], kind).vectors
            np.testing.assert_allclose(alone[0], encoded.vectors[2], atol=0 if kind == "document" else 1e-6)
        assert max(encoded.tokens) == limits.get("window", 128)


@pytest.mark.parametrize("adapter", [False, True])
def test_a_folder_that_sentence_transformers_saved_needs_no_entry(adapter: bool, tmp_path: Path) -> None:
    """An adapter that it saves names its base, which is merged with it once."""
    peer = SentenceTransformer(
        str(write(tmp_path / "base", "dense")), device="cpu", prompts={"query": "query: "}, truncate_dim=16
    )
    if adapter:
        peft = pytest.importorskip("peft")
        settings = peft.LoraConfig(r=4, target_modules=["query", "value"], init_lora_weights=False)
        peer.add_adapter(settings)
    peer.save_pretrained(str(tmp_path / "saved"))
    encoder = Models(tmp_path / "cache", threads=1).encoder(str(tmp_path / "saved"))
    for kind, encode in (("query", peer.encode_query), ("document", peer.encode_document)):
        expected = encode(TEXTS, normalize_embeddings=True)
        assert expected.shape == (len(TEXTS), 16)
        np.testing.assert_allclose(encoder.encode(TEXTS, kind).vectors, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("configuration", "changes", "query", "document"),
    [
        ({"prompts": {"query": "q: ", "passage": "p: "}}, {}, "q: ", "p: "),
        ({"prompts": {"search": "s: "}, "default_prompt_name": "search"}, {}, "s: ", "s: "),
        ({"prompts": {"search": "s: ", "query": ""}, "default_prompt_name": "search"}, {}, "", "s: "),
        (PROMPTS, {"query_instruction": "own: "}, "own: ", "the passage: "),
        (PROMPTS, {"prompts": {"document": ""}}, "query: ", ""),
    ],
)
def test_the_prompt_of_each_side(
    configuration: dict[str, Any], changes: dict[str, Any], query: str, document: str, tmp_path: Path
) -> None:
    folder = write_form(tmp_path / "with", pooling=MEAN, configuration=configuration)
    plain = load(write_form(tmp_path / "without", pooling=MEAN))
    found = load(folder, **changes)
    for kind, prompt in (("query", query), ("document", document)):
        expected = plain.encode([prompt + text for text in TEXTS], "document").vectors
        np.testing.assert_allclose(found.encode(TEXTS, kind).vectors, expected, atol=1e-6)
    assert (found.document_fingerprint == plain.document_fingerprint) == (document == "")
    assert (found.fingerprint == plain.fingerprint) == (document == query == "")


@pytest.mark.parametrize("name", ["mean", "cls", "lasttoken", "prompts", "prompts not pooled, mean",
                                  "causal, last token", "causal, mean"])  # fmt: skip
def test_a_listwise_input_is_pooled_as_the_model_pools(name: str, tmp_path: Path) -> None:
    """The query follows its prompt; it comes last where it could not attend to the documents otherwise."""
    folder = write(tmp_path, name)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    query, documents = "what is drag?", ("a wing", "a heat shield")
    prompt = "query: " if "prompts" in name or "causal" in name else ""

    def ids(text: str) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    before, after = ([], [0]) if "causal" in name else ([tokenizer.cls_token_id], [tokenizer.sep_token_id])
    asked = ids(prompt + query)
    listed = [token for text in documents for token in (*ids(text), *after)]
    last = "causal" in name or "last" in name
    whole = [*before, *(listed if last else []), *asked, *after, *([] if last else listed)]
    with torch.inference_mode():
        states = model(input_ids=torch.tensor([whole])).last_hidden_state[0]
    start = len(before) + (len(listed) if last else 0)
    unpooled = len(ids(prompt)) if "not pooled" in name or name == "causal, mean" else 0
    if "last" in name:
        expected = states[-1]
    else:
        expected = states[0] if name == "cls" else states[start + unpooled : start + len(asked)].mean(0)
    found = load(folder).encode_listwise([ListwiseInput(query, documents)])
    np.testing.assert_allclose(found.vectors[0], (expected / expected.norm()).numpy(), atol=2e-6)
    assert found.tokens == (len(whole),)


CONVERSION = {"transformer": {"processing_kwargs": {"text": {"max_length": 9}}}}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"pooling": {"pooling_mode_median_tokens": True}}, "pooling pooling_mode_median_tokens"),
        ({"pooling": {}}, "without a mode"),
        ({"pooling": MEAN, "modules": ("Transformer", "Normalize")}, "modules Transformer, Normalize"),
        ({"pooling": MEAN, "modules": ("Transformer", "Pooling", "CNN")}, "Transformer, Pooling, CNN"),
        ({"pooling": MEAN, "configuration": {"default_prompt_name": "query"}}, "default prompt 'query'"),
        (
            {"pooling": MEAN, "configuration": {"similarity_fn_name": "manhattan"}},
            "similarity measure manhattan",
        ),
        ({"pooling": MEAN, "transformer": {"transformer_task": "fill-mask"}}, "transformer_task"),
        ({"pooling": MEAN, "transformer": {"modality_config": {"message": {}}}}, "modality_config"),
        ({"pooling": MEAN} | CONVERSION, "processing_kwargs"),
        ({"pooling": MEAN, "modules": DENSE[:3], "layers": (Dense(32, 8),)}, "do not fit"),
        ({"pooling": MEAN, "modules": DENSE[:3]}, "config.json"),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(
    form: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = write_form(tmp_path, **form)
    with pytest.raises(InputError, match=message):
        load(folder)


def replace(name: str, content: str | None) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content) if content else (folder / name).unlink()


def other_width(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"intermediate_size": 128', '"intermediate_size": 96'))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (replace("1_Pooling/config.json", '{"pooling_mode": "median"}'), "pooling median is not supported"),
        (
            replace("1_Pooling/config.json", None),
            r"1_Pooling/config\.json: no such file, .* module Pooling",
        ),
        (replace("2_Dense/config.json", None), r"2_Dense/config\.json: no such file, .* module Dense"),
        (replace("2_Dense/model.safetensors", None), r"the Dense layer has no model\.safetensors"),
        (replace("tokenizer.json", '{"version": "1.0"}'), "its tokenizer cannot be read"),
        (replace("model-00002-of-00005.safetensors", None), r"No such file.*model-00002-of-00005"),
        (other_width, r"has shape \(128,\) instead of \(96,\)"),
    ],
)
def test_doctor_refuses_what_loading_would_before_anything_runs(
    damage: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    folder = write_form(
        tmp_path, pooling=MEAN, modules=DENSE[:3], layers=(Dense(64, 24),), max_shard_size="90KB"
    )
    assert examine_model(str(folder), None)[-1]["detail"] == "complete"
    damage(folder)
    with pytest.raises(InputError, match=message):
        examine_model(str(folder), None)


def test_a_layer_without_its_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = write(tmp_path, "dense")
    weights = folder / "2_Dense" / "model.safetensors"
    tensors = load_file(weights)
    del tensors["linear.bias"]
    save_file(tensors, weights)
    with pytest.raises(InputError, match=r"Missing key.* \"linear\.bias\""):
        load(folder)
    torch.save(tensors, weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        load(folder)
    config = folder / "2_Dense" / "config.json"
    config.write_text(config.read_text().replace("torch.nn.modules.activation.Tanh", "mine.Activation"))
    with pytest.raises(InputError, match="code of a checkpoint never runs"):
        load(folder)


def test_a_window_beyond_the_usable_positions_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "positions from the padding token's")
    with pytest.raises(InputError, match="514 tokens, but the model has 512 positions"):
        load(folder, window=514)
