"""Models by reference: what each form of checkpoint is recognised as, and what is refused before it loads."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from small_checkpoints import write_bert, write_decoder
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.loading import Models
from e2rank_eval.models.recognition import recognise
from e2rank_eval.models.references import Catalogue

_SHAPE: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2,
}  # fmt: skip


def change(path: Path, **values: Any) -> None:
    """Change values of a JSON file, which need not be there; None removes one."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({k: v for k, v in (kept | values).items() if v is not None}))


def saved(model: type[PreTrainedModel], config: Any) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        model(config).save_pretrained(folder)
        (folder / "vocab.txt").write_text("a vocabulary, which nothing here reads")

    return write


def bert(model: type[PreTrainedModel], **options: Any) -> Callable[[Path], object]:
    return saved(model, BertConfig(max_position_embeddings=64, **_SHAPE, **options))


def with_modules(*types: str, **sentence_bert: Any) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        bert(BertModel)(folder)
        modules = [{"idx": i, "name": str(i), "path": "", "type": one} for i, one in enumerate(types)]
        (folder / "modules.json").write_text(json.dumps(modules))
        change(folder / "sentence_bert_config.json", **sentence_bert)

    return write


LIBRARY = "sentence_transformers.models."
T5 = T5Config(vocab_size=60, d_model=16, d_ff=16, d_kv=8, num_layers=1, num_heads=2)
XLMR = XLMRobertaConfig(max_position_embeddings=514, num_labels=1, **_SHAPE)

FORMS: dict[str, tuple[Callable[[Path], object], tuple[str, ...], dict[str, Any]]] = {
    "pooled": (
        with_modules(f"{LIBRARY}Transformer", f"{LIBRARY}Pooling", max_seq_length=32),
        ("encoder",), {"window": 64, "document_tokens": 32, "trained_for_embedding": True},
    ),
    "one label": (bert(BertForSequenceClassification, num_labels=1), ("cross-encoder",), {"window": 64}),
    "two labels": (bert(BertForSequenceClassification, num_labels=2), ("cross-encoder",), {}),
    "positions after padding": (
        saved(XLMRobertaForSequenceClassification, XLMR), ("cross-encoder",), {"window": 512},
    ),
    "masked language model": (bert(BertForMaskedLM), ("sparse-encoder",), {"format": "transformers"}),
    "SPLADE": (
        with_modules(f"{LIBRARY}Transformer", "sentence_transformers.sparse_encoder.models.SpladePooling"),
        ("sparse-encoder",), {"format": "sentence-transformers"},
    ),
    "a vector for each token": (
        with_modules(f"{LIBRARY}Transformer", f"{LIBRARY}Dense", "sentence_transformers.x.MultiVectorMask"),
        ("late-interaction",), {},
    ),
    "PyLate": (
        with_modules(f"{LIBRARY}Transformer", "pylate.models.Dense.Dense"), ("late-interaction",), {},
    ),
    "yes or no": (
        with_modules(f"{LIBRARY}Transformer", "sentence_transformers.cross_encoder.modules.LogitScore"),
        ("cross-encoder",), {},
    ),
    "T5": (saved(T5ForConditionalGeneration, T5), ("monot5",), {}),
    "causal": (
        lambda folder: write_decoder(folder, "qwen3"),
        ("decoder",), {"window": 2048, "end_of_text": "<|endoftext|>", "trained_for_embedding": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_recognised_with_its_evidence(form: str, tmp_path: Path) -> None:
    write, kinds, fields = FORMS[form]
    write(tmp_path)
    found = recognise(tmp_path)
    assert found.kinds == kinds
    assert {name: found.fields[name] for name in fields} == fields
    assert set(found.evidence) == set(found.fields)
    assert ("modules.json" in found.evidence["kind"]) == (tmp_path / "modules.json").exists()


def test_a_pooled_causal_model_is_what_the_family_asks_for(tmp_path: Path) -> None:
    write_decoder(tmp_path / "model", "llama")
    modules = [{"path": "", "type": f"{LIBRARY}{kind}"} for kind in ("Transformer", "Pooling")]
    (tmp_path / "model/modules.json").write_text(json.dumps(modules))
    catalogue, reference = Catalogue(tmp_path / "cache"), str(tmp_path / "model")
    assert catalogue.resolve(reference, "encoder", "decoder").entry.kind == "encoder"
    assert catalogue.resolve(reference, "decoder").entry.kind == "decoder"
    with pytest.raises(InputError, match="may be encoder or decoder; choose one"):
        catalogue.resolve(reference)
    own = Catalogue(tmp_path / "cache", {reference: {"kind": "decoder", "query_tokens": 9}})
    found = own.resolve(reference)
    assert (found.entry.kind, found.entry.query_tokens, found.evidence["kind"]) == (
        "decoder", 9, "registry entry",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "lacks"),
    [
        ("cross-encoder", r"classifier\.bias, classifier\.weight"),
        ("sparse-encoder", r"cls\.predictions\.bias"),
        ("late-interaction", "random Dense layer"),
    ],
)
@pytest.mark.parametrize("pooled", [False, True])
def test_a_plain_bert_is_no_other_kind_and_the_error_names_what_it_lacks(
    kind: str, lacks: str, pooled: bool, tmp_path: Path
) -> None:
    write_bert(tmp_path / "model", {"pooling_mode": "mean"})
    if not pooled:
        (tmp_path / "model/modules.json").unlink()
    with pytest.raises(InputError, match=lacks):
        Catalogue(tmp_path / "cache").resolve(str(tmp_path / "model"), kind)
    if not pooled:  # as E2Rank asks, for which it lacks no weight but what says how they are pooled
        with pytest.raises(InputError, match="become vectors or scores; name the folder"):
            Catalogue(tmp_path / "cache").resolve(str(tmp_path / "model"), "encoder", "decoder")


def only_bin(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def in_index(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights that can hold code": (only_bin, r"weights only in pytorch_model\.bin.*save_pretrained"),
    "no weights": (in_index, r"no weights \(\*\.safetensors\)"),
    "an unknown type": (
        lambda f: change(f / "config.json", model_type="novel"),
        "model_type 'novel' is unknown to transformers",
    ),
    "no type": (lambda f: change(f / "config.json", model_type=None), "model_type None is unknown"),
    "half a file of weights": (
        lambda f: (f / "model.safetensors").write_bytes(b"half"), r"model\.safetensors: not safetensors",
    ),
    "no tokenizer": (lambda f: (f / "vocab.txt").unlink(), "no tokenizer; copy"),
    "no settings": (lambda f: (f / "config.json").unlink(), r"no config\.json"),
    "many labels": (
        lambda f: change(f / "config.json", architectures=["BertForSequenceClassification"],
                         id2label={"0": "a", "1": "b", "2": "c"}),
        "3 labels, not one or two",
    ),
    "code": (
        lambda f: change(f / "config.json", auto_map={"AutoModel": "mine.Model"}),
        r"auto_map names code of the checkpoint \(mine\.Model\), which never runs here.*architecture: native",
    ),
    "a tokenizer's code": (
        lambda f: change(f / "tokenizer_config.json", auto_map={"AutoTokenizer": "mine.Tokens"}),
        r"mine\.Tokens",
    ),
    "a module's code": (
        lambda f: (f / "modules.json").write_text(json.dumps([{"type": "mine.Transformer", "path": ""}])),
        r"the module mine\.Transformer is code of the checkpoint",
    ),
    "settings that are a list": (lambda f: (f / "config.json").write_text("[1]"), "a list, not an object"),
    "modules that are no list": (lambda f: change(f / "modules.json", a=1), "not a module with a type"),
    "a module outside": (
        lambda f: (f / "modules.json").write_text(json.dumps([{"type": "x.Pooling", "path": "../x"}])),
        r"a folder in the checkpoint: .*\.\./x",
    ),
    "a length in words": (
        lambda f: change(f / "tokenizer_config.json", model_max_length="many"),
        r"tokenizer_config\.json: the longest input is not a number: 'many'",
    ),
    "a pointer in place of the weights": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid x\n"),
        r"model\.safetensors: a Git LFS pointer instead of the file; run git lfs pull",
    ),
    "a value of another type": (
        lambda f: change(f / "config.json", hidden_size="big"),
        r"config\.json: cannot be used \(.*'hidden_size' expected int, got str \(value: 'big'\)\)",
    ),
    "a module without its settings": (
        lambda f: (f / "modules.json").write_text(json.dumps([
            {"type": f"{LIBRARY}Transformer"}, {"type": f"{LIBRARY}SpladePooling", "path": "1_SpladePooling"},
        ])),
        r"1_SpladePooling/config\.json: no such file, but the module SpladePooling",
    ),
    "no transformer": (
        lambda f: (f / "modules.json").write_text(json.dumps([{"type": LIBRARY + "StaticEmbedding"}])),
        "its first module is StaticEmbedding",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_refused_is_named_before_anything_loads(fault: str, tmp_path: Path) -> None:
    break_it, message = REFUSED[fault]
    bert(BertForMaskedLM)(tmp_path)
    break_it(tmp_path)
    with pytest.raises(InputError, match=message) as error:
        recognise(tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUFxxxx" * 20])
def test_half_a_gguf_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.gguf: cannot be read as GGUF"):
        recognise(tmp_path)


@pytest.mark.parametrize("standard_input", ["open", "closed"])
@pytest.mark.parametrize("known_type", [True, False])
def test_code_of_a_checkpoint_never_runs(
    standard_input: str, known_type: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without a terminal for confirmation, and for every way to name a model."""
    folder = write_bert(tmp_path / "model", {"pooling_mode": "mean"})
    written = tmp_path / "written"
    (folder / "mine.py").write_text(f"open({str(written)!r}, 'w')\nraise SystemExit('it ran')\n")
    code = {"AutoConfig": "mine.Config", "AutoModel": "mine.Model", "AutoTokenizer": ["mine.T", "mine.T"]}
    change(folder / "config.json", auto_map=code, **({} if known_type else {"model_type": "novel"}))
    change(folder / "tokenizer_config.json", auto_map=code)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\ny\ny\n") if standard_input == "open" else None)
    catalogue = Catalogue(tmp_path / "cache")
    for kind in ("encoder", "decoder", "cross-encoder", "sparse-encoder", "late-interaction"):
        with pytest.raises(InputError, match="code of the checkpoint"):
            catalogue.resolve(str(folder), kind)
    native = Catalogue(tmp_path / "cache", {str(folder): {"architecture": "native"}})
    models = Models(tmp_path / "cache", threads=1, catalogue=native)
    if known_type:
        assert models.encoder(str(folder)).encode(["a wing"], "query").vectors.shape == (1, 64)
    else:
        with pytest.raises(InputError, match="model_type 'novel' is unknown"):
            models.encoder(str(folder))
    assert not written.exists()


def test_hashes_follow_content_and_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_bert(tmp_path / "model", {"pooling_mode": "mean"})
    reference, cache = str(folder), tmp_path / "cache"
    first = Catalogue(cache).examine(reference).files
    assert {"config.json", "model.safetensors", "modules.json", "1_Pooling/config.json"} <= first.keys()
    (folder / "training_args.bin").write_bytes(b"not of the model")
    monkeypatch.setattr("e2rank_eval.store.files.sha256_file", lambda path: f"computed again: {path.name}")
    assert Catalogue(cache).examine(reference).files == first
    tensors = load_file(folder / "model.safetensors")
    save_file({name: one + 1 for name, one in tensors.items()}, folder / "model.safetensors")
    changed = Catalogue(cache).examine(reference).files
    assert [name for name in first if first[name] != changed[name]] == ["model.safetensors"]


@pytest.fixture
def lora() -> Any:
    return pytest.importorskip("peft")


@pytest.mark.parametrize("architecture", ["bert", "qwen3"])
def test_an_adapter_is_merged_into_its_base(architecture: str, lora: Any, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoModelForCausalLM

    base, adapter = tmp_path / "base", tmp_path / "adapter"
    if architecture == "bert":
        write_bert(base, {"pooling_mode": "mean"})
        model, task = AutoModel.from_pretrained(base), "FEATURE_EXTRACTION"
    else:
        write_decoder(base, architecture)
        model, task = AutoModelForCausalLM.from_pretrained(base), "CAUSAL_LM"
    torch.manual_seed(7)
    settings = lora.LoraConfig(task_type=task, r=2, target_modules="all-linear", init_lora_weights=False)
    adapted = lora.get_peft_model(model, settings).eval()
    adapted.save_pretrained(adapter)
    change(adapter / "adapter_config.json", base_model_name_or_path=str(base))
    if architecture == "qwen3":
        shutil.copyfile(base / "config.json", adapter / "config.json")  # as some are published
    found = Catalogue(tmp_path / "cache").examine(str(adapter))
    loader = AutoModel if architecture == "bert" else AutoModelForCausalLM
    merged = loader.from_pretrained(found.path).eval()
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        ours, theirs, plain = (
            one(input_ids=tokens)[0] for one in (merged, adapted, loader.from_pretrained(base))
        )
    assert not torch.allclose(ours, plain, atol=1e-3)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert found.kinds == (("encoder",) if architecture == "bert" else ("decoder",))
    assert Catalogue(tmp_path / "cache").examine(str(adapter)).path == found.path
    change(adapter / "tokenizer_config.json", model_max_length=33)
    merged_again = Catalogue(tmp_path / "cache").examine(str(adapter))
    assert json.loads((merged_again.path / "tokenizer_config.json").read_text())["model_max_length"] == 33
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no adapter_model\.safetensors"):
        Catalogue(tmp_path / "cache").examine(str(adapter))


def test_an_adapter_without_its_base_or_of_another_says_so(lora: Any, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    change(folder / "adapter_config.json", peft_type="LORA", task_type="FEATURE_EXTRACTION")
    with pytest.raises(InputError, match="no base_model_name_or_path"):
        Catalogue(tmp_path / "cache").examine(str(folder))
    change(folder / "adapter_config.json", base_model_name_or_path="nobody-has/this")
    with pytest.raises((InputError, UnavailableError), match="adapter: its base: nobody-has/this"):
        Catalogue(tmp_path / "cache").examine(str(folder))
    change(folder / "adapter_config.json", base_model_name_or_path="missing-folder")
    with pytest.raises(InputError, match="adapter: its base: unknown model 'missing-folder'"):
        Catalogue(tmp_path / "cache").examine(str(folder))
    change(folder / "adapter_config.json", base_model_name_or_path=str(folder))
    with pytest.raises(InputError, match="adapter: the model is its own base"):
        Catalogue(tmp_path / "cache").examine(str(folder))
