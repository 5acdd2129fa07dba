"""Safe loading of checkpoints, dequantisation of GGUF files, and the dtype for a device."""

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
from e2rank_eval.models.timing import tokenising
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_settings, sha256_file, sha256_json, space_for
from e2rank_eval.store.locks import exclusive

CPU_DTYPE = "float32"
"""The dtype of every model on a CPU, regardless of its registry entry.

Half precision is faster only on CPUs with hardware support (AMX, AVX-512 BF16), is several times slower on
others, and would make results depend on the type of CPU.
"""


_UNREADABLE = (OSError, ValueError, TypeError, RuntimeError, KeyError)
"""Exceptions of transformers and sentence-transformers for files that are not a valid model."""

COPY = "fetch or copy the model again"
"""Hint for a damaged or incomplete folder."""

_TOKENIZER = "tokenizer_config.json"
_WITHOUT_VOCABULARY = ("ByT5Tokenizer", "CanineTokenizer")
"""Byte and character tokenizers, which have no vocabulary file."""


def device() -> str:
    """Return the device that models run on: ``cuda`` if there is a GPU, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype_on(device: str, wanted: str) -> str:
    """Return the dtype to load a model in: ``wanted``, that of its entry, on a GPU; float32 on a CPU."""
    return CPU_DTYPE if device == "cpu" else wanted


def dtype_of(model: Any) -> str:
    """Return the dtype of a loaded model, such as ``bfloat16``."""
    held = next(one.dtype for one in model.parameters() if one.is_floating_point())
    return str(held).removeprefix("torch.")


def dtype_key(model: Any) -> dict[str, str]:
    """Return the dtype of a loaded model as a part of a fingerprint; empty for float32, as on every CPU."""
    return {} if (held := dtype_of(model)) == CPU_DTYPE else {"dtype": held}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' warnings: unused heads are fine, and missing weights are checked separately."""
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
    """Raise InputError if ``folder`` has no vocabulary: transformers would create a wrong tokenizer."""
    names = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "tekken.json")
    kind = str(read_settings(folder / _TOKENIZER).get("tokenizer_class"))
    if not any(found for name in names for found in folder.glob(name)) and kind not in _WITHOUT_VOCABULARY:
        raise InputError("no tokenizer", path=folder, hint="copy tokenizer.json of the model into it")


def load_tokenizer(folder: Path, **place: Any) -> Any:
    """Return the tokenizer in ``folder``; no code of the checkpoint runs.

    Raises
    ------
    InputError
        When transformers cannot read it.
    """
    from transformers import AutoTokenizer

    if not place:
        refuse_without_tokenizer(folder)
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True, **place)
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(
            f"its tokenizer cannot be read ({_one_line(error)})", path=folder, hint=COPY
        ) from error


def load_config(folder: Path) -> Any:
    """Return the transformers configuration in ``folder``, with validated types.

    Raises
    ------
    InputError
        When ``config.json`` is missing, or a value is invalid for its ``model_type``.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (*_UNREADABLE, StrictDataclassError) as error:
        raise InputError(
            f"cannot be used ({_one_line(error)})", path=folder / "config.json", hint=COPY
        ) from error


def _one_line(error: Exception) -> str:
    """Return an error message of several lines as one line."""
    return " ".join(str(error).split())


def load_weights(
    auto: Any, folder: Path, dtype: str, *, optional: str | tuple[str, ...] = " ", **settings: Any
) -> Any:
    """Load a model with ``auto.from_pretrained``, from local safetensors in ``folder`` only.

    No code of the checkpoint runs. Weights whose names begin with ``optional`` may be missing. ``settings``
    override the checkpoint's configuration.

    Raises
    ------
    InputError
        When it cannot be loaded, or weights are missing, which transformers would initialise at random.
    """
    model, absent = _loaded(auto, folder, dtype=dtype, **settings)
    missing = sorted(key for key in absent if not key.startswith(optional))
    if missing:
        raise InputError(
            f"{len(missing)} weights are missing and would be random: {', '.join(missing[:5])}",
            path=folder, hint=f"{COPY}, or name the right kind in the model registry",
        )  # fmt: skip
    return model


def load_for_inference(auto: Any, folder: Path, dtype: str, *, optional: str = " ") -> Any:
    """Load a model as :func:`load_weights` does, on a GPU in ``dtype``, without a GPU in float32."""
    place = device()
    return load_weights(auto, folder, dtype_on(place, dtype), optional=optional).to(place).eval()


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
                ignore_mismatched_sizes=True,  # reported below
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


def load_library_model(kind: Any, folder: Path, dtype: str, what: str, hint: str) -> Any:
    """Load ``folder`` as ``kind``, a class of sentence-transformers, from safetensors; no code of it runs.

    It runs on a GPU in ``dtype``, without a GPU in float32.

    The library initialises missing weights at random, which callers must check. ``max_seq_length`` is lowered
    to the model's positions; the library does not account for architectures that do not count them from 0.

    Raises
    ------
    InputError
        When it cannot be loaded; ``what`` describes ``kind`` in the message.
    """
    try:
        with quiet():
            model = kind(
                str(folder),
                device=device(),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "dtype": dtype_on(device(), dtype)},
            )
    except _UNREADABLE as error:
        raise InputError(
            f"cannot be loaded as a {what} ({_one_line(error)})", path=folder, hint=hint
        ) from error
    model.preprocess = tokenising()(model.preprocess)  # the library's own calls too
    body = getattr(model[0], "auto_model", None)
    positions = None if body is None else usable_positions(body)
    if positions is not None:
        model.max_seq_length = min(model.max_seq_length or positions, positions)
    return model


def usable_positions(model: Any) -> int | None:
    """Return the most tokens of an input that a model has positions for; None without such a limit."""
    positions = getattr(model.config, "max_position_embeddings", None)
    return None if positions is None else int(positions) - first_position(model)


def first_position(model: Any) -> int:
    """Return the position of a text's first token: 0, or in RoBERTa models the padding token's id plus 1."""
    named = (one for name, one in model.named_modules() if name.endswith("position_embeddings"))
    padding = getattr(next(named, None), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def missing_weights(auto: str, folder: Path) -> list[str]:
    """Return the names of the weights of transformers' class ``auto`` that ``folder`` lacks.

    Only names and shapes are read (meta device). Empty if ``auto`` does not support the model's type.

    Raises
    ------
    InputError
        When the model cannot be loaded, mostly because a file is missing or a shape differs.
    """
    import transformers

    loader: Any = getattr(transformers, auto)
    held = getattr(loader, "_model_mapping", None)  # only auto classes have it
    if held is not None and type(load_config(folder)) not in held:
        return []
    return sorted(_loaded(loader, folder, device_map="meta")[1])


def loadable_folder(folder: Path, format: str) -> Path:
    """Return the folder that ``from_pretrained`` can load: ``folder`` itself, or its dequantised copy.

    ``format`` is that of the registry entry. A GGUF file is converted to float32 safetensors in
    ``folder/dequantised-<key>/``, where the key is a hash of the file and the version of transformers.

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
    say(f"dequantising {source.name} (once; about 10 s for 135M parameters)")
    for part in _read_gguf(source):
        part.save_pretrained(target)


def made_once(target: Path, what: str, make: Callable[[Path], None]) -> Path:
    """Return the folder ``target``; if it does not exist, ``make`` fills it.

    Only one of several processes fills it, under a lock. It fills a temporary folder that is then renamed, so
    that ``target`` is never incomplete. ``what`` names the work in the message of a time-out.

    Raises
    ------
    UnavailableError
        When the disk is full, or another process holds the lock for more than ten minutes.
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
    """Cache GGUF parsing, as transformers parses the file three times and maps tensor names repeatedly."""
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
    # The weights are float32 here, but transformers refuses to save a model with these attributes.
    vars(model).pop("hf_quantizer", None)
    vars(model.config).pop("quantization_config", None)
    return model, tokenizer
