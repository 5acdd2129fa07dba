"""Recognition of a model's kind and limits from the files of its checkpoint, before it is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import (
    COPY,
    gguf_file,
    load_config,
    missing_weights,
    refuse_without_tokenizer,
)
from e2rank_eval.store.files import read_json, read_settings

CONTENT = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model", "*.gguf")
"""Files of a checkpoint that can decide an output; code and pickled weights are excluded."""

_MODULE_KINDS = {
    "LogitScore": "cross-encoder",
    "SpladePooling": "sparse-encoder",
    "SparseAutoEncoder": "sparse-encoder",
    "MultiVectorMask": "late-interaction",
    "Pooling": "encoder",
}
"""Kind by sentence-transformers module, the more specific first."""

_HEADS = {
    "encoder": "AutoModel",
    "cross-encoder": "AutoModelForSequenceClassification",
    "sparse-encoder": "AutoModelForMaskedLM",
    "decoder": "AutoModelForCausalLM",
    "monot5": "AutoModelForSeq2SeqLM",
}
"""The transformers class that loads a kind, head included."""

OR_NATIVE = (
    "name another model, or write architecture: native in its registry entry where transformers' own code of "
    "this model_type computes the same"
)
"""Hint for a checkpoint with code of its own."""

_LIBRARIES = ("sentence_transformers.", "pylate.models.Dense.")
_OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx")
_POSITIONS_FROM_PADDING = {
    "camembert", "data2vec-text", "ibert", "longformer", "luke", "mpnet", "roberta", "roberta-prelayernorm",
    "xlm-roberta", "xlm-roberta-xl", "xmod",
}  # fmt: skip
"""Model types whose first position is the padding token's id plus 1, so that fewer positions are usable."""

_UNLIMITED = 1e9
"""A tokenizer's ``model_max_length`` from here on means that it has no limit."""


@dataclass(slots=True)
class Recognised:
    """Possible ``kinds`` of a model, the likeliest first, and the ``fields`` of its registry entry.

    ``evidence`` names for each field, including ``kind``, the file or other origin of its value.
    """

    kinds: tuple[str, ...]
    fields: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)

    def add(self, evidence: str, **fields: Any) -> None:
        """Set or replace fields, all with this evidence."""
        self.fields |= fields
        self.evidence |= dict.fromkeys(fields, evidence)


def recognise(folder: Path, *, native: bool = False, asked: Sequence[str] = ()) -> Recognised:
    """Return the kinds and the entry's fields of the model in ``folder``.

    ``native`` accepts a checkpoint with code of its own (which never runs) where transformers has code for
    its model type. ``asked`` are the kinds that the caller needs, for the error message.

    Raises
    ------
    InputError
        When the model needs code of its own, has no weights in safetensors or GGUF, is of an unknown type,
        or no file shows its kind.
    """
    if not (folder / "config.json").is_file() and any(folder.glob("*.gguf")):
        return _gguf(folder)
    modules = modules_of(folder)
    _refuse_pointers(folder)
    refuse_code(folder, native=native)
    _refuse_other_bodies(modules, folder)
    _refuse_default_modules(modules, folder)
    body = transformer_folder(folder)
    config = _config(body, folder)
    _refuse_unknown_type(config, body / "config.json")
    load_config(body)
    _refuse_other_weights(body, folder)
    refuse_without_tokenizer(body)
    kinds, evidence = _kinds(modules, config, folder, asked)
    found = Recognised(kinds)
    vectors = kinds[0] in ("encoder", "sparse-encoder", "late-interaction")
    found.add(evidence, kind=kinds[0], trained_for_embedding=vectors)
    form = "sentence-transformers" if modules else "transformers"
    found.add("modules.json" if modules else "config.json", format=form)
    found.add("headers of the weights", parameters=readable(_count_parameters(folder)))
    _limits(found, config, body)
    dtype = str(config.get("dtype") or config.get("torch_dtype")).removeprefix("torch.")
    if dtype in ("float32", "bfloat16", "float16"):
        found.add("config.json", dtype=dtype)
    if "decoder" in kinds:
        _end_of_text(found, body)
    if licence := _licence(folder):
        found.add("README.md", licence=licence)
    return found


def transformer_folder(folder: Path) -> Path:
    """Return the folder of the transformer's files: ``folder``, or that of the first module."""
    modules = modules_of(folder)
    return folder / modules[0].get("path", "") if modules else folder


def content_files(folder: Path) -> list[Path]:
    """Return the files that can decide an output, in the folder and in those that modules.json names."""
    places = dict.fromkeys([folder, *(folder / module.get("path", "") for module in modules_of(folder))])
    found = {path for place in places for pattern in CONTENT for path in place.glob(pattern)}
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def refuse_code(folder: Path, *, native: bool = False) -> None:
    """Raise InputError if the checkpoint names code of its own, unless ``native`` selects transformers' code.

    Custom modules of sentence-transformers are refused in any case.
    """
    path = folder / "modules.json"
    for module in modules_of(folder):
        if not str(module.get("type")).startswith(_LIBRARIES):
            raise InputError(
                f"the module {module.get('type')} is code of the checkpoint, which never runs here",
                path=path, hint="name another model",
            )  # fmt: skip
    body = transformer_folder(folder)
    for path in (body / "config.json", body / "tokenizer_config.json"):
        if not native and (code := read_settings(path).get("auto_map")):
            names = ", ".join(map(str, code.values())) if isinstance(code, dict) else code
            raise InputError(
                f"auto_map names code of the checkpoint ({names}), which never runs here", path=path,
                hint=OR_NATIVE,
            )  # fmt: skip


def modules_of(folder: Path) -> list[dict[str, Any]]:
    """Return the sentence-transformers modules in modules.json; an empty list without that file.

    Raises
    ------
    InputError
        When it is not a list of modules, each with a type and a folder within ``folder``.
    """
    path = folder / "modules.json"
    found = read_json(path) if path.is_file() else []
    for module in found if isinstance(found, list) else [found]:
        fits = isinstance(found, list) and isinstance(module, dict) and isinstance(module.get("type"), str)
        place = Path(str(module.get("path", ""))) if fits else Path("..")
        if place.is_absolute() or ".." in place.parts:
            raise InputError(
                f"not a module with a type and a folder in the checkpoint: {module}", path=path,
                hint="save the model again with sentence-transformers",
            )  # fmt: skip
    return list(found)


def _refuse_pointers(folder: Path) -> None:
    """Refuse Git LFS pointers, which are in place of the files where Git LFS is not installed."""
    for path in content_files(folder):
        with path.open("rb") as file:
            if file.read(43) == b"version https://git-lfs.github.com/spec/v1\n":
                raise InputError(
                    "a Git LFS pointer instead of the file", path=path, hint="run git lfs pull in its folder"
                )


def _refuse_other_bodies(modules: list[dict[str, Any]], folder: Path) -> None:
    """Refuse a sentence-transformers model without a transformer, such as static word embeddings."""
    first = modules[0]["type"].rsplit(".", 1)[-1] if modules else "Transformer"
    if not first.endswith("Transformer"):
        raise InputError(
            f"its first module is {first}, not a Transformer", path=folder / "modules.json",
            hint="name another model",
        )  # fmt: skip


def _refuse_default_modules(modules: list[dict[str, Any]], folder: Path) -> None:
    """Refuse modules without a settings file, for which the library would use its defaults.

    A Normalize after Pooling has no settings, and Dropout has no effect in inference.
    """
    names = [module["type"].rsplit(".", 1)[-1] for module in modules]
    without = {"Dropout"} | ({"Normalize"} if "Pooling" in names else set())
    for name, module in list(zip(names, modules, strict=True))[1:]:
        path = folder / module.get("path", "") / "config.json"
        if name not in without and not path.is_file():
            raise InputError(f"no such file, but the module {name} needs its settings", path=path, hint=COPY)


def _config(body: Path, folder: Path) -> dict[str, Any]:
    path = body / "config.json"
    if not path.is_file():
        raise InputError(
            "no config.json, so the kind of the model is unknown", path=folder,
            hint="name the folder that save_pretrained wrote",
        )  # fmt: skip
    return read_settings(path)


def _refuse_unknown_type(config: Mapping[str, Any], path: Path) -> None:
    from transformers import CONFIG_MAPPING, __version__

    found = config.get("model_type")
    if found not in CONFIG_MAPPING:
        raise InputError(
            f"model_type {found!r} is unknown to transformers {__version__}", path=path,
            hint="name a model that it knows",
        )  # fmt: skip


def _refuse_other_weights(body: Path, folder: Path) -> None:
    if any(body.glob("*.safetensors")):
        return
    others = sorted(path.name for path in body.iterdir() if path.suffix in _OTHER_WEIGHTS)
    if others:
        raise InputError(
            f"weights only in {others[0]}, a format that is not supported", path=folder,
            hint="convert them if you trust them: load the model with transformers, then "
            "model.save_pretrained(folder)",
        )  # fmt: skip
    raise InputError(
        "no weights (*.safetensors)", path=folder,
        hint="add them; ask the authors for safetensors, or convert weights in .bin if you trust them",
    )  # fmt: skip


def _kinds(
    modules: list[dict[str, Any]], config: Mapping[str, Any], folder: Path, asked: Sequence[str]
) -> tuple[tuple[str, ...], str]:
    """Return the possible kinds, the likeliest first, and the file that shows them."""
    causal = _is_causal(config)
    names = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    for name, kind in _MODULE_KINDS.items():
        if name in names:
            both = kind == "encoder" and causal
            return (kind, "decoder") if both else (kind,), f"modules.json ({', '.join(names)})"
    if any(str(module["type"]).startswith("pylate.") for module in modules):
        return ("late-interaction",), f"modules.json ({', '.join(names)})"
    architecture = str((config.get("architectures") or ["none"])[0])
    evidence = f"config.json ({architecture})"
    if architecture == "HF_ColBERT":
        return ("late-interaction",), evidence
    if architecture.endswith("ForSequenceClassification"):
        labels = len(config.get("id2label") or range(config.get("num_labels", 2)))
        if labels > 2:
            raise InputError(
                f"{architecture} with {labels} labels, not one or two", path=folder / "config.json",
                hint="name a model with one label, or with two",
            )  # fmt: skip
        return ("cross-encoder",), evidence
    if architecture.endswith("ForMaskedLM"):
        return ("sparse-encoder",), evidence
    if architecture in ("T5ForConditionalGeneration", "MT5ForConditionalGeneration"):
        return ("monot5",), evidence
    if causal:
        return ("decoder",), evidence
    raise InputError(
        f"{architecture} with {', '.join(names) or 'no modules.json'}: no file shows how its states become "
        f"vectors or scores"
        f"{lacking(folder, asked)}",
        path=folder,
        hint="name the folder that sentence-transformers saved, with modules.json and 1_Pooling/config.json",
    )


def lacking(folder: Path, kinds: Sequence[str]) -> str:
    """Return the part of a message that names weights which the model lacks for ``kinds``; may be empty."""
    if "late-interaction" in kinds:
        return "; as late-interaction it would get a random Dense layer, which modules.json does not name"
    missing = [unfilled(folder, kind) for kind in kinds]
    if not missing or not all(missing):
        return ""
    return f"; it has no {', '.join(missing[0][:5])}, which would be random"


def unfilled(folder: Path, kind: str) -> list[str]:
    """Return the names of the weights that a model of ``kind`` needs and ``folder`` lacks.

    BERT's pooler does not count: it is not used, and many encoders are published without its weights.
    """
    if kind not in _HEADS:
        return []
    if any(str(module["type"]).endswith(".LogitScore") for module in modules_of(folder)):
        kind = "decoder"  # its score is a logit of the language model's head
    missing = missing_weights(_HEADS[kind], transformer_folder(folder))
    return [name for name in missing if kind != "encoder" or not name.startswith("pooler.")]


def _is_causal(config: Mapping[str, Any]) -> bool:
    """Whether the model can generate text: a causal architecture, or the body of a causal-only model type."""
    from transformers.models.auto import modeling_auto

    architecture = str((config.get("architectures") or ["none"])[0])
    if re.search(r"For(?!CausalLM$)", architecture):
        return False
    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    found = config.get("model_type")
    both = found in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return architecture in causal.values() or (found in causal and not both)


def _limits(found: Recognised, config: Mapping[str, Any], body: Path) -> None:
    positions = config.get("max_position_embeddings") or config.get("n_positions")
    if isinstance(positions, int) and config.get("model_type") in _POSITIONS_FROM_PADDING:
        positions -= int(config.get("pad_token_id") or 0) + 1
    tokenizer = read_settings(body / "tokenizer_config.json").get("model_max_length")
    known = {"config.json": positions, "tokenizer_config.json": tokenizer}
    for name, one in known.items():
        if not isinstance(one, int | float | None):
            raise InputError(f"the longest input is not a number: {one!r}", path=body / name)
    limits = {file: int(one) for file, one in known.items() if one and one < _UNLIMITED}
    file = min(limits, key=limits.__getitem__, default="no file: assumed")
    window = limits.get(file, 512)
    found.add(file, window=window)
    longest = read_settings(body / "sentence_bert_config.json").get("max_seq_length")
    if longest and longest < window:
        found.add("sentence_bert_config.json", document_tokens=int(longest), query_tokens=int(longest))
    else:
        found.add(file, document_tokens=window, query_tokens=window)


def _end_of_text(found: Recognised, body: Path) -> None:
    """Set ``end_of_text``: E2Rank's ``<|endoftext|>`` if the tokenizer has it, else its end token."""
    added = read_settings(body / "tokenizer.json").get("added_tokens", [])
    if any(token["content"] == "<|endoftext|>" for token in added):
        found.add("tokenizer.json", end_of_text="<|endoftext|>")
        return
    end = read_settings(body / "tokenizer_config.json").get("eos_token")
    if end := end.get("content") if isinstance(end, dict) else end:
        found.add("tokenizer_config.json", end_of_text=end)


def _count_parameters(folder: Path) -> int:
    from safetensors import SafetensorError, safe_open

    total = 0
    for path in content_files(folder):
        if path.suffix == ".safetensors":
            try:
                with safe_open(path, "np") as stored:
                    total += sum(prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118
            except SafetensorError as error:
                raise InputError(f"not safetensors ({error})", path=path, hint="copy it again") from error
    return total


def readable(count: int) -> str:
    """Return a number of parameters with a unit, such as ``22.7M``."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def _licence(folder: Path) -> str | None:
    """Return the licence in the front matter of the model's card."""
    path = folder / "README.md"
    card = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    found = re.match(r"---\n.*?^license:[ \t]*([^\n]+?)[ \t]*$.*?^---", card, re.DOTALL | re.MULTILINE)
    return found[1].strip("'\"") if found else None


def _gguf(folder: Path) -> Recognised:
    from gguf import GGUFReader

    path = gguf_file(folder)
    try:
        reader = GGUFReader(path)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise InputError(f"cannot be read as GGUF ({error})", path=path, hint=COPY) from error
    found = Recognised(("decoder",))
    length = next((one for name, one in reader.fields.items() if name.endswith(".context_length")), None)
    window = int(length.contents()) if length is not None else 512
    count = readable(sum(int(tensor.n_elements) for tensor in reader.tensors))
    found.add(path.name, kind="decoder", format="gguf", trained_for_embedding=False, parameters=count)
    found.add(path.name, window=window, document_tokens=window, query_tokens=window)
    return found
