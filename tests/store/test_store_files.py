"""Writing files is atomic and deterministic."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.store.files import atomic_path, read_json, read_jsonl, sha256_file, write_json, write_jsonl


def test_a_failing_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"a": 1}])

    def rows() -> Iterator[dict[str, Any]]:
        yield {"a": 2}
        raise RuntimeError("killed half-way")

    with pytest.raises(RuntimeError):
        write_jsonl(path, rows())
    assert [row for _, row in read_jsonl(path)] == [{"a": 1}]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


def test_gzip_bytes_depend_on_content_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "one.jsonl.gz", tmp_path / "two.jsonl.gz"
    write_jsonl(first, [{"b": 2, "a": "ü"}])
    os.utime(first, (0, 0))
    write_jsonl(second, [{"a": "ü", "b": 2}])
    assert sha256_file(first) == sha256_file(second)
    assert [row for _, row in read_jsonl(second)] == [{"a": "ü", "b": 2}]


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no disk space"), atomic_path(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_fills_while_rows_are_written_is_the_same_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/full takes every open and refuses every byte, as a full disk does."""
    import tempfile

    def on_a_full_disk(**_: object) -> tuple[int, str]:
        link = tmp_path / "part"
        link.symlink_to("/dev/full")
        return os.open("/dev/null", os.O_RDONLY), str(link)

    monkeypatch.setattr(tempfile, "mkstemp", on_a_full_disk)
    with pytest.raises(UnavailableError, match="no disk space"):
        write_jsonl(tmp_path / "rows.jsonl", [{"a": 1}])
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_json_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"mean": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [("[1, 2]", "not an object"), ("[" * 100_000, "not JSON"), ("9" * 5_000, "not JSON")],
    ids=["array", "brackets", "digits"],
)
def test_a_line_that_is_not_a_json_object_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'{{"_id": "1"}}\n{line}\n')
    with pytest.raises(InputError, match=problem) as caught:
        list(read_jsonl(path))
    assert caught.value.line == 2


def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b'{"_id": "d"}\n' * 2 + b'{"_id": "caf\xe9"}\n' + b'{"_id": "d"}\n' * 2)
    with pytest.raises(InputError, match="UTF-8") as caught:
        list(read_jsonl(path))
    assert caught.value.line == 3
    with pytest.raises(InputError, match="UTF-8"):
        read_json(path)


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"_id": "d"}\n')
    assert list(read_jsonl(path)) == [(1, {"_id": "d"})]
    assert read_json(path) == {"_id": "d"}
