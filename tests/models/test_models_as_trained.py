"""A reranker has the options that its model was trained with, unless it gives others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from e2rank_eval.cli.common import open_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.graph.whole import Graph

TRAINED = {"combination": "residual", "weight": 0.5, "prompt_documents": 10}


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns the settings, written out, of one reranker of a model that was trained with ``TRAINED``."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "trained"
    folder.mkdir()

    def settings(options: dict[str, Any], trained: dict[str, Any] = TRAINED) -> dict[str, Any]:
        source = {"kind": "folder", "folder": "elsewhere"}
        (folder / "entry.yaml").write_text(yaml.safe_dump({"it": {"sources": [source], "reranker": trained}}))
        reranker = {"family": "e2rank", "model": "./trained", **options}
        values = {
            "profile": "p", "datasets": {"lee": {}}, "first_stages": {"bm25": {"retriever": "bm25"}},
            "rerankers": {"it": reranker},
        }  # fmt: skip
        Path("c.yaml").write_text(yaml.safe_dump(values))
        planned = Graph(values, ["c.yaml"]).configuration.rerankers["it"]
        found = open_configuration(Path("c.yaml"))[0].rerankers["it"]
        assert found == planned, "jobs and graph have the same settings"
        return found.model_dump(mode="json")

    return settings


def test_inherited_options_are_those_of_a_reranker_that_states_them(read: Any) -> None:
    assert read({}) == read(TRAINED) == read(TRAINED, {})
    assert read({}) != read({}, {})


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"prompt_documents": 3}, TRAINED | {"prompt_documents": 3}),
        ({"combination": "pure"}, {"combination": "pure", "prompt_documents": 10}),
        ({"combination": "residual", "weight": 2}, TRAINED | {"weight": 2}),
        ({"prompt": "query-only"}, {"prompt": "query-only"}),
    ],
)
def test_a_given_option_takes_precedence_and_none_without_effect_is_inherited(
    read: Any, given: dict[str, Any], same: dict[str, Any]
) -> None:
    assert read(given) == read(same, {})


def test_other_families_inherit_nothing(read: Any) -> None:
    assert read({"family": "feedback"}) == read({"family": "feedback"}, {})


def test_a_wrong_option_of_an_entry_is_named_with_the_reranker(read: Any) -> None:
    with pytest.raises(InputError, match=r"reranker it .* \./trained: unknown key 'documents'"):
        read({}, {"documents": 3})
    with pytest.raises(InputError, match="step 15 exceeds the window of 10"):
        read({"step": 15})
