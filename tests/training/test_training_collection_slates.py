"""Slates of judged collections and of pinned packages' docstrings."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.training.collection_slates import oracle_scores, read_collection
from e2rank_eval.training.docstrings import DocstringSettings, PinnedPackage, docstring_collection


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


def test_the_same_seed_gives_the_same_collection() -> None:
    assert docstring_collection(_settings()) == docstring_collection(_settings())
    assert docstring_collection(_settings()) != docstring_collection(_settings(seed=12))


def test_another_version_is_refused() -> None:
    with pytest.raises(InputError, match=r"joblib .* is installed, 0\.1 is pinned"):
        docstring_collection(_settings("0.1"))


def test_too_few_docstrings_are_refused() -> None:
    with pytest.raises(UnavailableError, match="docstrings found, 100000 asked for"):
        docstring_collection(_settings(docstrings=100_000))


def test_an_unknown_key_of_the_packages_is_named(tmp_path: Path) -> None:
    path = tmp_path / "packages.yaml"
    path.write_text("packages:\n  joblib: {version: '1', licence: MIT}\nseeds: 3\n")
    with pytest.raises(InputError, match="unknown key 'seeds'"):
        read_collection(path, "train")


def test_the_oracle_ranks_by_the_query_and_the_mean_of_the_positives() -> None:
    documents = np.eye(3, dtype=np.float32)
    query = np.array([0.0, 0.0, 1.0], dtype=np.float32)
    assert oracle_scores(query, documents, [0]) == pytest.approx([2**-0.5, 0.0, 2**-0.5], abs=1e-6)
    assert oracle_scores(query, documents, [0, 1]) == pytest.approx([0.5, 0.5, 2**-0.5], abs=1e-6)
