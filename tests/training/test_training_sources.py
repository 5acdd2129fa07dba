"""Training lists of judged collections and of pinned packages' docstrings."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from e2rank_eval.config.training_lists import (
    DocstringSettings,
    PinnedPackage,
    list_sources,
    read_docstring_settings,
)
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.training.sources import docstring_collection, read_collection


def _settings(version: str | None = None, **changes: int) -> DocstringSettings:
    pinned = PinnedPackage(version=version or metadata.version("joblib"), licence="BSD-3-Clause")
    return DocstringSettings(packages={"joblib": pinned}, **({"docstrings": 40} | changes))


def test_passages_of_a_docstring_are_relevant_to_its_query_alone() -> None:
    found = docstring_collection(_settings())
    assert len(found.queries) == 40
    for query_id, grades in found.qrels.items():
        number = query_id.removeprefix("q")
        assert grades
        assert all(i.split("-")[0] == number for i in grades)
        assert not found.exclusions[query_id] & grades.keys()
    cut = [query for i, query in found.queries.items() if found.exclusions[i]]
    assert cut
    for query in cut:
        (source,) = found.exclusions[query.id]
        assert found.corpus[source].text.startswith(query.text)
    assert docstring_collection(_settings()) == found != docstring_collection(_settings(seed=12))


def test_another_version_or_too_few_docstrings_are_refused() -> None:
    with pytest.raises(InputError, match=r"joblib .* is installed, 0\.1 is pinned"):
        docstring_collection(_settings("0.1"))
    with pytest.raises(UnavailableError, match="docstrings found, 100000 asked for"):
        docstring_collection(_settings(docstrings=100_000))


def test_packages_of_another_file_are_those_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("packages:\n  joblib: {version: '1', licence: MIT}\n")
    (tmp_path / "b.yaml").write_text("packages: a.yaml\ndocstrings: 7\n")
    (tmp_path / "c.yaml").write_text("packages: b.yaml\n")
    found = read_docstring_settings(tmp_path / "b.yaml")
    assert found.pinned == {"joblib": PinnedPackage(version="1", licence="MIT")}
    assert found.docstrings == 7
    assert list_sources(tmp_path / "b.yaml") == [tmp_path / "b.yaml", tmp_path / "a.yaml"]
    assert list_sources(tmp_path / "a.yaml") == [tmp_path / "a.yaml"]
    with pytest.raises(InputError, match="names a further file of packages"):
        read_docstring_settings(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("docstrings: 3\npackages: {}\n", "a.yaml:2.*no package is named"),
        ("packages:\n  joblib: {version: '1', licence: MIT}\nseeds: 3\n", "unknown key 'seeds'"),
    ],
)
def test_a_mistake_in_the_packages_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=problem):
        read_collection(tmp_path / "a.yaml", "train")
