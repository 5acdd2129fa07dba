"""Checkpoints: safe loading of their weights, a GGUF file dequantised once, the dtype that a device runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from e2rank_eval.errors import InputError
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_settings, sha256_file, sha256_json, space_for
from e2rank_eval.store.locks import exclusive

CPU_DTYPE = "float32"
"""The type that every model runs in on a CPU, whatever its registry entry says.

Half precision pays only where the CPU multiplies it in hardware (AMX, AVX-512 BF16), is several times
slower elsewhere, and would make results depend on the type of CPU.
"""


_UNREADABLE = (OSError, ValueError, TypeError, RuntimeError, KeyError)
"""What transformers and sentence-transformers raise for files that do not make a model."""

COPY = "fetch or copy the model again"
"""What to do about a damaged or incomplete folder."""

_TOKENIZER = "tokenizer_config.json"
_WITHOUT_VOCABULARY = ("ByT5Tokenizer", "CanineTokenizer")
"""Tokenizers of bytes and characters."""


def device() -> str:
    """Return what models run on here: ``cuda`` where there is a GPU, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype_on(device: str, wanted: str = "auto") -> str:
    """Return the type to load a model in: ``wanted`` on a GPU (auto: its file's), float32 on a CPU."""
    return CPU_DTYPE if device == "cpu" else wanted


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers: an unused head is fine, and missing weights are checked by their names."""
    from transformers.utils import logging

    transformers_logging: Any = logging
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()


def refuse_without_tokenizer(folder: Path) -> None:
    """Raise InputError where ``folder`` has no vocabulary: transformers would make up a tokenizer."""
    names = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "tekken.json")
    kind = str(read_settings(folder / _TOKENIZER).get("tokenizer_class"))
    if not any(found for name in names for found in folder.glob(name)) and kind not in _WITHOUT_VOCABULARY:
        raise InputError("no tokenizer", path=folder, hint="copy tokenizer.json of the model into it")


def load_tokenizer(folder: Path, **place: Any) -> Any:
    """Return the tokenizer in ``folder``; no code of the checkpoint runs.

    Raises
    ------
    InputError
        When there is none that transformers can read.
    """
    from transformers import AutoTokenizer

    if not place:
        refuse_without_tokenizer(folder)
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True, **place)
    except Exception as error:  # tokenizers raises no class of its own
        raise InputError(
            f"no tokenizer that can be read ({_one_line(error)})", path=folder, hint=COPY
        ) from error


def load_config(folder: Path) -> Any:
    """Return the configuration of the architecture in ``folder``, every value of the type that it needs.

    Raises
    ------
    InputError
        When ``config.json`` is missing, or a value does not fit its ``model_type``.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (*_UNREADABLE, StrictDataclassError) as error:
        raise InputError(
            f"cannot be used ({_one_line(error)})", path=folder / "config.json", hint=COPY
        ) from error


def _one_line(error: Exception) -> str:
    """Return what a library says, which can be several lines, for a message of one."""
    return " ".join(str(error).split())


def load_weights(
    auto: Any, folder: Path, dtype: str, *, optional: str | tuple[str, ...] = " ", **settings: Any
) -> Any:
    """Load a model with the ``from_pretrained`` of ``auto``, from safetensors in ``folder`` alone.

    No code of the checkpoint runs. Weights whose names begin with ``optional`` may be missing. ``settings``
    change those of the checkpoint's configuration.

    Raises
    ------
    InputError
        When it cannot be loaded, or weights are missing, which would be random.
    """
    model, absent = _loaded(auto, folder, dtype=dtype, **settings)
    missing = sorted(key for key in absent if not key.startswith(optional))
    if missing:
        raise InputError(
            f"{len(missing)} weights are missing and would be random: {', '.join(missing[:5])}",
            path=folder, hint=f"{COPY}, or name the right kind in the model registry",
        )  # fmt: skip
    return model


def _loaded(auto: Any, folder: Path, **settings: Any) -> tuple[Any, set[str]]:
    """Return the model, and the names of its weights that ``folder`` lacks."""
    load_config(folder)
    with quiet():
        try:
            model, report = auto.from_pretrained(
                folder,
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
                **settings,
            )
        except _UNREADABLE as error:
            raise InputError(
                f"cannot be loaded by {auto.__name__} ({_one_line(error)})", path=folder, hint=COPY
            ) from error
    if report["mismatched_keys"]:
        name, *shapes = min(report["mismatched_keys"])
        found, expected = map(tuple, shapes)
        raise InputError(f"{name} has shape {found} instead of {expected}", path=folder, hint=COPY)
    return model, set(report["missing_keys"])


def load_library_model(kind: Any, folder: Path, what: str, hint: str) -> Any:
    """Load ``folder`` as ``kind``, a class of sentence-transformers, from safetensors; no code of it runs.

    The library fills gaps at random: whoever calls checks what it has made. Texts are cut where the model has
    no more positions, which the library counts from 0 for every architecture.

    Raises
    ------
    InputError
        When it cannot be loaded, ``what`` being the words for ``kind``.
    """
    try:
        with quiet():
            model = kind(
                str(folder),
                device=device(),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "dtype": dtype_on(device())},
            )
    except _UNREADABLE as error:
        raise InputError(
            f"cannot be loaded as a {what} ({_one_line(error)})", path=folder, hint=hint
        ) from error
    body = getattr(model[0], "auto_model", None)
    positions = getattr(getattr(body, "config", None), "max_position_embeddings", None)
    if positions is not None:
        model.max_seq_length = min(model.max_seq_length or positions, positions - first_position(body))
    return model


def first_position(model: Any) -> int:
    """Return the position of a text's first token: RoBERTa's family counts from the padding token's id on."""
    named = (one for name, one in model.named_modules() if name.endswith("position_embeddings"))
    padding = getattr(next(named, None), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def missing_weights(auto: str, folder: Path) -> list[str]:
    """Return the weights that class ``auto`` of transformers would not find in ``folder``, by their names.

    Nothing is read but names and shapes, as on the meta device; empty where the class cannot hold the model.

    Raises
    ------
    InputError
        When it cannot be loaded, above all because a file of it is missing or a shape is another.
    """
    import transformers

    loader: Any = getattr(transformers, auto)
    held = getattr(loader, "_model_mapping", None)  # of a class that stands for several
    if held is not None and type(load_config(folder)) not in held:
        return []
    return sorted(_loaded(loader, folder, device_map="meta")[1])


def loadable_folder(folder: Path, format: str) -> Path:
    """Return the folder that ``from_pretrained`` can load: ``folder`` itself, or its dequantised copy.

    ``format`` is that of the model registry. A GGUF file is converted to float32 safetensors in
    ``folder/dequantised-<key>/``. The key is a hash of the file's content and of what reads it: another of
    either makes another copy.

    Raises
    ------
    InputError
        When the folder lacks ``config.json``, or has no GGUF file, several, or one that cannot be read.
    UnavailableError
        When the disk is full, or another process converts for more than ten minutes.
    """
    if format != "gguf":
        if not (folder / "config.json").is_file():
            raise InputError("no config.json", path=folder, hint=COPY)
        return folder
    source = gguf_file(folder)
    key = sha256_json({"file": sha256_file(source), "transformers": version("transformers")})
    target = folder / f"dequantised-{key[:16]}"
    return made_once(target, f"dequantising {source.name}", lambda part: _dequantise(source, part))


def gguf_file(folder: Path) -> Path:
    """Return the one GGUF file of ``folder``; raises InputError where there is none, or several."""
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise InputError(
            f"{len(found)} GGUF files instead of one",
            path=folder,
            hint="keep the one that the registry names",
        )
    return found[0]


def _dequantise(source: Path, target: Path) -> None:
    say(f"dequantising {source.name} once (about 10 s for 135M parameters)")
    for part in _read_gguf(source):
        part.save_pretrained(target)


def made_once(target: Path, what: str, make: Callable[[Path], None]) -> Path:
    """Return the folder ``target``, which ``make`` fills where it is not there yet.

    Several processes make it once, and a killed one leaves nothing half-written: a lock is held, and a folder
    beside it is filled and then renamed. ``what`` is being done, for the message of who waits in vain.

    Raises
    ------
    UnavailableError
        When the disk is full, or another process is at it for more than ten minutes.
    """
    if target.is_dir():
        return target
    with exclusive(target.parent / ".made.lock", what=what, wait=600.0):
        if target.is_dir():
            return target
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
        try:
            with space_for(target):
                make(part)
                part.chmod(0o755)
                part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target


@contextmanager
def _parsed_once() -> Iterator[None]:
    """Let transformers parse a GGUF file once: alone it does so three times, and names all tensors often."""
    import gguf

    own = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    try:
        for name, made in own.items():
            setattr(gguf, name, cache(made))
        yield
    finally:
        for name, made in own.items():
            setattr(gguf, name, made)


def _read_gguf(source: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM

    name, place = source.name, source.parent
    try:
        with _parsed_once():
            with quiet():
                model = AutoModelForCausalLM.from_pretrained(
                    place, gguf_file=name, dtype=torch.float32, trust_remote_code=False, local_files_only=True
                )
            tokenizer = load_tokenizer(place, gguf_file=name)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise InputError(
            f"cannot be read as GGUF ({error})", path=source, hint="fetch it again, or name a supported one"
        ) from error
    # The weights are plain float32 by now; these marks of their origin would forbid saving them.
    vars(model).pop("hf_quantizer", None)
    vars(model.config).pop("quantization_config", None)
    return model, tokenizer
