"""Model folders made loadable, a GGUF file dequantised to safetensors once; the dtype that a device runs."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_json, sha256_file, write_json
from e2rank_eval.store.locks import exclusive

CPU_DTYPE = "float32"
"""What every model runs in on a CPU, whatever its registry entry says.

Half precision pays only where the CPU multiplies it in hardware (AMX, AVX-512 BF16), is several times
slower elsewhere, and would make results depend on the type of CPU.
"""

_FOLDER = "dequantised"
_RECORD = "dequantised.json"


def dtype_on(device: str, wanted: str = "auto") -> str:
    """What a model is loaded in: ``wanted`` on a GPU (auto: as its file has it), float32 on a CPU."""
    return CPU_DTYPE if device == "cpu" else wanted


def loadable_folder(folder: Path, format: str) -> Path:
    """The folder that ``from_pretrained`` can load: ``folder`` itself, or its dequantised copy.

    ``format`` is that of the model registry. A GGUF file is converted to float32 safetensors in
    ``folder/dequantised/`` under a file lock and renamed into place, so that several processes
    convert once and a killed one leaves nothing half-written. The copy carries the hashes of the
    GGUF file and of its own files; where any of them differs it is made again.

    Raises
    ------
    InputError
        When the folder lacks ``config.json``, or has no GGUF file, several, or one that cannot be read.
    UnavailableError
        When the disk is full, or another process converts for more than ten minutes.
    """
    if format != "gguf":
        if not (folder / "config.json").is_file():
            raise InputError("no config.json", path=folder, hint="fetch the model again")
        return folder
    source = gguf_file(folder)
    expected = _origin(source)
    target = folder / _FOLDER
    if not _is_whole(target, expected):
        with exclusive(folder / f".{_FOLDER}.lock", what=f"dequantising {source.name}", wait=600.0):
            if not _is_whole(target, expected):
                _dequantise(source, target, expected)
    return target


def gguf_file(folder: Path) -> Path:
    """The one GGUF file of ``folder``; raises InputError where there is none, or several."""
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise InputError(
            f"{len(found)} GGUF files instead of one",
            path=folder,
            hint="keep the one that the registry names",
        )
    return found[0]


def _origin(source: Path) -> dict[str, str]:
    """What decides the dequantised weights: the file's content and the code that reads it."""
    import transformers

    return {"sha256": sha256_file(source), "transformers": transformers.__version__}


def _is_whole(target: Path, origin: dict[str, str]) -> bool:
    if not (target / _RECORD).is_file():
        return False
    try:
        record = read_json(target / _RECORD)
    except InputError as error:
        say(f"{error.path}: {error.problem}; taken as absent")
        return False
    return bool(record == {"origin": origin, "files": _hashes(target)})


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.name != _RECORD}


def _dequantise(source: Path, target: Path, origin: dict[str, str]) -> None:
    say(f"dequantising {source.name} once (about 20 s for 135M parameters)")
    temporary = Path(tempfile.mkdtemp(dir=source.parent, prefix=f".{_FOLDER}.", suffix=".part"))
    try:
        model, tokenizer = _read_gguf(source)
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        write_json(temporary / _RECORD, {"origin": origin, "files": _hashes(temporary)})
        temporary.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnavailableError(f"{target}: no disk space left; free some and run again") from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _read_gguf(source: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
    try:
        model = AutoModelForCausalLM.from_pretrained(source.parent, dtype=torch.float32, **place)
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **place)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise InputError(
            f"cannot be read as GGUF ({error})", path=source, hint="fetch it again, or name a supported one"
        ) from error
    # The weights are plain float32 by now; these marks of their origin would forbid saving them.
    vars(model).pop("hf_quantizer", None)
    vars(model.config).pop("quantization_config", None)
    return model, tokenizer
