"""Training lists of judged collections and of pinned packages' docstrings."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from e2rank_eval.config import (
    BlendSettings,
    DocstringSettings,
    PinnedPackage,
    entries,
    list_sources,
    read_docstring_settings,
)
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.loading import Models
from e2rank_eval.records import Dataset, Document, ListwiseInput, Query
from e2rank_eval.retrieval.splade import Splade
from e2rank_eval.training.collection_lists import collection_lists, read_collection
from e2rank_eval.training.docstrings import docstring_collection
from e2rank_eval.training.teachers import KnowingTeacher, load_teacher, oracle_scores, standardised


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


def test_standardised_scores_forget_their_scale() -> None:
    scores = np.array([3.0, 1.0, 2.0])
    assert standardised(scores) == pytest.approx([1.5**0.5, -(1.5**0.5), 0.0])
    assert standardised(7 * scores - 2) == pytest.approx(standardised(scores))
    assert standardised(np.full(3, 0.1 + 0.2)).tolist() == [0.0, 0.0, 0.0]


@pytest.fixture(scope="module")
def capitals() -> Dataset:
    texts = (
        "The river Rhine rises in the Alps and flows into the North Sea.",
        "Paris is the capital and the largest city of France.",
        "Berlin has been the capital of Germany since reunification.",
        "Bread is baked from flour, water and yeast.",
    )
    corpus = {str(place): Document(str(place), text) for place, text in enumerate(texts)}
    queries = {"q": Query("q", "what is the capital of france")}
    return Dataset("capitals", corpus, queries, {"q": {"1": 1}}, {})


def test_one_who_knows_ranks_the_relevant_document_first(capitals: Dataset, fetch_cache: Path) -> None:
    teacher = KnowingTeacher(Models(fetch_cache, threads=1).encoder("all-minilm-l6-v2"))
    (item,) = collection_lists(capitals, teacher, 4)
    assert [item.documents[place] for place in item.labelled] == [capitals.corpus["1"].text]
    assert item.labelled == (item.best,)


def test_a_blend_adds_what_both_models_say(capitals: Dataset, fetch_cache: Path) -> None:
    """Against the sum written out with each model called by itself; real models, nothing shared but them."""
    models = Models(fetch_cache, threads=1)
    settings = BlendSettings(sparse="splade-tiny-msmarco", weight=0.5, documents=2)
    (item,) = collection_lists(capitals, load_teacher(models, "all-minilm-l6-v2", settings), 4)
    dense = models.encoder("all-minilm-l6-v2")
    sparse = Splade(models.path("splade-tiny-msmarco"), entries.model("splade-tiny-msmarco"))
    enriched = dense.encode_listwise([ListwiseInput(item.query, item.documents[:2])]).vectors[0]
    query = dense.encode([item.query], "query").vectors[0] + enriched
    ours = dense.encode(list(item.documents), "document").vectors @ query
    theirs = (sparse.encode(item.documents, "document") @ sparse.encode([item.query], "query").T).toarray()
    total = (ours - ours.mean()) / ours.std() + 0.5 * (theirs[:, 0] - theirs.mean()) / theirs.std()
    assert np.argsort(-total).tolist() == np.argsort(item.ranks).tolist()
    assert item.documents[item.best] == capitals.corpus["1"].text


def test_no_package_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("docstrings: 3\npackages: {}\n")
    with pytest.raises(InputError, match="no package is named") as caught:
        read_docstring_settings(tmp_path / "a.yaml")
    assert "a.yaml:2" in str(caught.value)
