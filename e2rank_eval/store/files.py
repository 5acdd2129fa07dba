"""Atomic, deterministic writing of JSON, JSON lines and gzip; their reading; content hashes."""

from __future__ import annotations

import bz2
import codecs
import errno
import gzip
import hashlib
import io
import json
import lzma
import math
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

from e2rank_eval.errors import InputError, UnavailableError

_HINT_JSON = "fix the file, or run the step that makes it again"
_HINT_UTF8 = "convert the file to UTF-8"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it there on success, remove it on failure.

    Raises
    ------
    UnavailableError
        When the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        with space_for(path):
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def space_for(path: Path) -> Iterator[None]:
    """Raise UnavailableError, naming ``path``, if a write in the block finds the disk full."""
    try:
        yield
    except OSError as error:
        if disk_is_full(error):
            raise UnavailableError(f"{path}: no disk space left; free some and run again") from error
        raise


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error says that the disk, or the user's quota, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def write_bytes(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode())


def canonical_json(value: Any) -> str:
    """Return JSON on one line with sorted keys and without NaN, for hashes and JSONL files."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys and a final newline; raises ValueError for NaN."""
    write_text(path, json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def read_json(path: Path, *, hint: str = "run the step that makes it first") -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError("no such file", path=path, hint=hint) from error
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", path=path, line=error.lineno, hint=_HINT_JSON) from error
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 ({error.reason})", path=path, hint=_HINT_UTF8) from error


def read_settings(path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``, or an empty one if there is no such file.

    Raises
    ------
    InputError
        When it is not JSON, or not an object.
    """
    if not path.is_file():
        return {}
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"a {type(found).__name__}, not an object", path=path, hint=_HINT_JSON)
    return found


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write canonical JSON lines; gzipped if the name ends in ``.gz``."""
    write_lines(path, (canonical_json(row) for row in rows))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text; gzipped (no name, no time in the header) if the name ends in ``.gz``."""
    with atomic_path(path) as temporary, temporary.open("wb") as raw:
        binary: Any = raw
        if path.suffix == ".gz":
            binary = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6)
        with io.TextIOWrapper(binary, encoding="utf-8", newline="\n") as text:
            for line in lines:
                text.write(line + "\n")
            text.flush()


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line numbers, from 1, and lines without line ends of a UTF-8 file.

    gzip, bz2, xz and zstd are recognised by their first bytes. A byte order mark at the start is dropped.

    Raises
    ------
    InputError
        When the file is missing, truncated or not UTF-8.
    """
    number = 0
    try:
        with path.open("rb") as raw, _decompressed(raw) as handle:
            for number, line in enumerate(handle, start=1):
                content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                yield number, content.decode("utf-8").rstrip("\r\n")
    except FileNotFoundError as error:
        raise InputError("no such file", path=path, hint="check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 ({error.reason})", path=path, line=number, hint=_HINT_UTF8) from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"truncated or corrupt ({error})", path=path, hint="fetch it again") from error


def _decompressed(raw: BufferedReader) -> BinaryIO:
    start = raw.peek(6)
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.open(raw))
    if start.startswith(b"BZh"):
        return cast(BinaryIO, bz2.open(raw))
    if start.startswith(b"\xfd7zXZ"):
        return cast(BinaryIO, lzma.open(raw))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa  # type: ignore[import-untyped]

        return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(raw, "zstd")))
    return raw


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers and objects of a JSONL file; blank lines are skipped.

    Raises
    ------
    InputError
        Naming file and line, when a line is not a JSON object.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # also for thousands of digits or brackets
            problem = getattr(error, "msg", error)
            raise InputError(
                f"not JSON: {problem}", path=path, line=number, hint="write one JSON object a line"
            ) from error
        if not isinstance(row, dict):
            raise InputError(
                f"a {type(row).__name__}, not an object", path=path, line=number, hint='write {"_id": ...}'
            )
        yield number, row


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def file_hashes(paths: Iterable[Path], kept: Path) -> dict[Path, str]:
    """Return the hex SHA-256 of each file; ``kept`` is a cache file of hashes by path, size and time."""
    before = read_json(kept) if kept.is_file() else {}
    keys = {path: f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths}
    hashes = {key: before.get(key) or sha256_file(path) for path, key in keys.items()}
    if hashes != before:
        write_json(kept, hashes)
    return {path: hashes[key] for path, key in keys.items()}


def sha256_json(value: Any) -> str:
    """Return the hex SHA-256 of a value's canonical JSON, the key of caches and shards."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def number_within(text: str, most: int, what: str, path: Path, line: int) -> float:
    """Return the number from 0 to ``most`` in a field of a file; ``what`` names the field in the message.

    Raises
    ------
    InputError
        Naming file and line, when the field is not such a number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise InputError(f"{what} {text!r} is not a number from 0 to {most}", path=path, line=line)
    return value
