"""A fetched folder is complete, kept, checked, and repaired where it was changed."""

from __future__ import annotations

import errno
import hashlib
import json

import pytest
from hub_server import Hub
from packages import COMMIT, PackageIndex, hub_source, package_source, wheel

from e2rank_eval.datasets.sources import package
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.errors import UnavailableError
from e2rank_eval.models.entries import write_model_record
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import registered_model
from e2rank_eval.store.layout import Layout

pytestmark = pytest.mark.slow  # pip runs in a process of its own

CONTENT = wheel({"toy/a": b"a", "toy/b": b"b" * 5000})
SOURCE = package_source(CONTENT, {"toy/": ""})


@pytest.fixture
def published(package_index: PackageIndex) -> PackageIndex:
    package_index.publish("toy", "toy-1.0-py3-none-any.whl", CONTENT)
    return package_index


def _downloads(index: PackageIndex) -> int:
    return index.server.count("/files/toy-1.0-py3-none-any.whl")


def _names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_fetch_happens_once_and_is_recorded(published, tmp_path):
    first = fetch("toy", [SOURCE], tmp_path / "toy", {})
    second = fetch("toy", [SOURCE], tmp_path / "toy", {})
    assert first == second
    assert first.files == {
        "a": hashlib.sha256(b"a").hexdigest(),
        "b": hashlib.sha256(b"b" * 5000).hexdigest(),
    }
    assert (first.source, first.revision) == ("package toy==1.0", "1.0")
    assert _downloads(published) == 1
    assert _names(tmp_path) == ["toy"]


@pytest.mark.parametrize("harm", [lambda f: (f / "b").write_bytes(b"c" * 5000), lambda f: (f / "b").unlink()])
def test_a_changed_or_missing_file_is_named_and_fetched_again(harm, published, tmp_path, capsys):
    folder = fetch("toy", [SOURCE], tmp_path / "toy", {}).path
    harm(folder)
    fetch("toy", [SOURCE], tmp_path / "toy", {})
    assert (folder / "b").read_bytes() == b"b" * 5000
    assert f"{folder / 'b'}: missing or changed" in capsys.readouterr().err
    assert _downloads(published) == 2


@pytest.mark.parametrize("damage", ['{"source": ', "[]", "{}", '{"source": 1, "files": []}'])
def test_a_damaged_record_is_logged_and_treated_as_missing(damage, published, tmp_path, capsys):
    folder = fetch("toy", [SOURCE], tmp_path / "toy", {}).path
    (folder / ".fetched.json").write_text(damage)
    assert fetch("toy", [SOURCE], tmp_path / "toy", {}).files.keys() == {"a", "b"}
    assert f"{folder / '.fetched.json'}: not " in capsys.readouterr().err
    assert _downloads(published) == 2


def test_files_that_others_add_to_the_folder_stay(published, tmp_path):
    folder = fetch("toy", [SOURCE], tmp_path / "toy", {}).path
    (folder / "dequantised").mkdir()
    assert fetch("toy", [SOURCE], folder, {}).files.keys() == {"a", "b"}
    assert (folder / "dequantised").exists()


def test_a_source_that_the_registry_no_longer_names_is_fetched_anew(published, tmp_path):
    fetch("toy", [SOURCE], tmp_path / "toy", {})
    renamed = SOURCE.model_copy(update={"members": {"toy/": "moved/"}})
    assert fetch("toy", [renamed], tmp_path / "toy", {}).files.keys() == {"moved/a", "moved/b"}
    assert not (tmp_path / "toy" / "a").exists()


def test_a_file_that_fails_the_registry_s_hash_is_refused(published, tmp_path):
    with pytest.raises(UnavailableError, match=r"package toy==1\.0: a: sha256 is .* instead of 0{64}"):
        fetch("toy", [SOURCE], tmp_path / "toy", {"a": "0" * 64})
    with pytest.raises(UnavailableError, match="c: sha256 is missing"):
        fetch("toy", [SOURCE], tmp_path / "toy", {"c": "0" * 64})
    assert _names(tmp_path) == []


def test_sources_are_tried_in_order(published, hub_server: Hub, tmp_path):
    hub_server.publish("models", "people/toy", {"a": b"from the hub"}, commit=COMMIT)
    hub_first = fetch("toy", [hub_source(COMMIT), SOURCE], tmp_path / "hub", {})
    assert (hub_first.source, hub_first.revision) == ("hub people/toy", COMMIT)
    package_first = fetch("toy", [SOURCE, hub_source(COMMIT)], tmp_path / "package", {})
    assert package_first.source == "package toy==1.0"


def test_the_next_source_is_used_where_the_first_fails(published, hub_server: Hub, tmp_path):
    hub_server.publish("models", "people/toy", {"a": b"tampered"}, commit=COMMIT)
    hashes = {"a": hashlib.sha256(b"a").hexdigest()}
    assert fetch("toy", [hub_source(COMMIT), SOURCE], tmp_path / "toy", hashes).source == "package toy==1.0"


def test_a_changed_file_from_the_hub_is_fixed_from_its_cache(hub_server: Hub, tmp_path):
    hub_server.publish("models", "people/toy", {"a": b"good"}, commit=COMMIT)
    folder = fetch("toy", [hub_source(COMMIT)], tmp_path / "toy", {}).path
    (folder / "a").write_bytes(b"evil")
    fetch("toy", [hub_source(COMMIT)], tmp_path / "toy", {})
    assert (folder / "a").read_bytes() == b"good"


def test_when_all_fail_each_is_named_with_its_reason(package_index, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnavailableError) as failure:
        fetch("toy", [hub_source(COMMIT), SOURCE], tmp_path / "toy", {})
    message = str(failure.value)
    assert message.startswith("toy: no source could be used (hub people/toy: ")
    assert "package toy==1.0: pip could not download toy==1.0: No matching distribution" in message
    assert message.endswith("check the network, then run again")
    assert _names(tmp_path) == []


def test_offline_uses_only_what_is_stored(published, tmp_path, monkeypatch):
    fetch("toy", [SOURCE], tmp_path / "toy", {})
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    fetch("toy", [SOURCE], tmp_path / "toy", {})
    with pytest.raises(UnavailableError, match="E2RANK_OFFLINE is set; unset it"):
        fetch("toy", [SOURCE], tmp_path / "elsewhere", {})
    (tmp_path / "toy" / "a").write_bytes(b"x")
    with pytest.raises(UnavailableError, match="E2RANK_OFFLINE"):
        fetch("toy", [SOURCE], tmp_path / "toy", {})
    assert _downloads(published) == 1


def test_leftovers_of_a_killed_fetch_do_no_harm(published, tmp_path):
    left = tmp_path / ".toy.part"
    left.mkdir()
    (left / "half").write_bytes(b"half")
    assert fetch("toy", [SOURCE], tmp_path / "toy", {}).files.keys() == {"a", "b"}
    assert _names(tmp_path) == ["toy"]


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path, monkeypatch):
    def full(source, folder):
        (folder / "a").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(package, "take", full)
    with pytest.raises(UnavailableError, match="no disk space left") as failure:
        fetch("toy", [SOURCE], tmp_path / "toy", {})
    assert "network" not in str(failure.value)
    assert _names(tmp_path) == []


def test_a_model_is_fetched_by_name_and_recorded_without_time_or_path(published, tmp_path):
    toy = registered_model("smollm2-135m-instruct-q4").model_dump(mode="json", exclude_unset=True)
    toy |= {"sources": [SOURCE.model_dump()], "files": {}}
    fetched = Catalogue(tmp_path / "cache", {"toy": toy}).examine("toy")
    assert fetched.path == tmp_path / "cache" / "models" / "toy"
    write_model_record(Layout(tmp_path / "results"), fetched)
    record = (tmp_path / "results" / "models" / "toy.json").read_text()
    assert json.loads(record)["files"] == dict(fetched.files)
    assert json.loads(record)["revision"] == "1.0"
    assert str(tmp_path) not in record
