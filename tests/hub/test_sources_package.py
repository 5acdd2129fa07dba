"""Files taken from a package, served by an index on loopback with all known faults."""

from __future__ import annotations

import time

import pytest
from file_server import File
from packages import PackageIndex, package_source, source_archive, wheel

from e2rank_eval.datasets.sources import package
from e2rank_eval.errors import InputError, UnavailableError

pytestmark = pytest.mark.slow

WHEEL = "toy-1.0-py3-none-any.whl"
SOURCE = "toy-1.0.tar.gz"


@pytest.fixture
def folder(tmp_path):
    """The target folder of members; its parent must contain nothing else afterwards."""
    path = tmp_path / "out"
    path.mkdir()
    yield path
    assert list(tmp_path.iterdir()) == [path]


def test_takes_a_member_of_a_source_archive(package_index: PackageIndex, folder):
    content = source_archive({"data/texts": b"texts"})
    package_index.publish("toy", SOURCE, content)
    package.take(package_source(content, {"toy-1.0/data/texts": "texts"}, archive="source"), folder)
    assert (folder / "texts").read_bytes() == b"texts"


def test_code_of_a_tampered_source_archive_never_runs(package_index: PackageIndex, folder, tmp_path_factory):
    marker = tmp_path_factory.mktemp("marker") / "ran"
    good = source_archive({"data/texts": b"texts"})
    evil = source_archive({"data/texts": b"texts"}, build=f"open({str(marker)!r}, 'w').close()")
    package_index.publish("toy", SOURCE, evil)
    with pytest.raises(InputError, match=r"toy==1\.0: sha256 of the archive is .* instead of .*tampered"):
        package.take(package_source(good, {"toy-1.0/data/texts": "texts"}, archive="source"), folder)
    assert not marker.exists()
    assert not list(folder.iterdir())
    # The same archive runs its code where its hash is the declared one, so the marker can be made.
    package.take(package_source(evil, {"toy-1.0/data/texts": "texts"}, archive="source"), folder)
    assert marker.exists()


def test_a_tampered_wheel_is_refused(package_index: PackageIndex, folder):
    package_index.publish("toy", WHEEL, wheel({"toy/weights": b"other"}))
    with pytest.raises(InputError, match="truncated or tampered with; fetch again"):
        package.take(package_source(wheel({"toy/weights": b"good"}), {"toy/weights": "weights"}), folder)
    assert not list(folder.iterdir())


def test_a_connection_lost_in_the_middle_is_reported(package_index: PackageIndex, folder):
    content = wheel({"toy/weights": bytes(range(256)) * 100})
    package_index.publish(
        "toy", WHEEL, content[:-50], **{"Content-Length": str(len(content)), "Connection": "close"}
    )
    with pytest.raises((InputError, UnavailableError), match=r"toy==1\.0"):
        package.take(package_source(content, {"toy/weights": "weights"}), folder)
    assert not list(folder.iterdir())


def test_a_missing_version_is_reported_at_once(package_index: PackageIndex, folder):
    content = wheel({})
    package_index.publish("toy", "toy-0.9-py3-none-any.whl", content)
    with pytest.raises(UnavailableError, match=r"No matching distribution found for toy==1\.0"):
        package.take(package_source(content, {"toy/weights": "weights"}), folder)
    assert package_index.server.count("/simple/toy/") == 1


def test_an_index_that_fails_is_retried_and_named(package_index: PackageIndex, folder):
    package_index.server.files["/simple/toy/"] = File(b"", status=500)
    with pytest.raises(UnavailableError, match=r"package index did not answer for toy==1\.0.*500"):
        package.take(package_source(b"", {"toy/weights": "weights"}), folder)
    assert package_index.server.count("/simple/toy/") > 3


def test_an_index_that_recovers_is_used(package_index: PackageIndex, folder, monkeypatch):
    content = wheel({"toy/weights": b"w"})
    package_index.server.files["/simple/toy/"] = File(b"", status=500)
    monkeypatch.setattr(package, "BACK_OFF", (0.25, 0.25))
    monkeypatch.setattr(time, "sleep", lambda _: package_index.publish("toy", WHEEL, content))
    package.take(package_source(content, {"toy/weights": "weights"}), folder)
    assert (folder / "weights").read_bytes() == b"w"


def test_an_unreachable_index_is_reported(package_index: PackageIndex, folder, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(UnavailableError, match=r"package index did not answer .*Connection refused"):
        package.take(package_source(b"", {"toy/weights": "weights"}), folder)


def test_an_environment_without_pip_is_reported(folder, monkeypatch):
    monkeypatch.setattr(package.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UnavailableError, match=r"pip is not installed .* -m ensurepip"):
        package.take(package_source(b"", {"toy/weights": "weights"}), folder)
