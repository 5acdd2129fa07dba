"""Families register themselves without slow imports; a new one is one file; a missing factory is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_vectors import candidate_list

from e2rank_eval.config import Configuration, parse_configuration
from e2rank_eval.config.systems import FAMILIES, Lengths
from e2rank_eval.errors import InputError
from e2rank_eval.records import Query
from e2rank_eval.rerankers import families
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families.custom import CustomSettings

NEW_FAMILY = """
from typing import Literal

from e2rank_eval.config.systems import FAMILIES, RerankerSettings, Tokens
from e2rank_eval.records import QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker


class BackwardsSettings(RerankerSettings):
    '''The first stage's order, backwards.'''

    own_colour = "#123456"

    family: Literal["backwards"]
    depth: int = 3

    def build(self, context):
        return Backwards()

    def tokens(self, lengths, depth):
        return Tokens(depth * lengths.document)


class Backwards(Reranker):
    fingerprint = "backwards"

    def rank_candidates(self, queries, candidates):
        return [Ranking(one, tuple(reversed(range(len(one)))), QueryStats()) for one in candidates]


FAMILIES.add("backwards", BackwardsSettings)
"""

CONFIGURATION: dict[str, Any] = {
    "profile": "own",
    "datasets": {"lee": {}},
    "first_stages": {"bm25": {"retriever": "bm25"}},
}


def context() -> RerankContext:
    return RerankContext(models=None, seed=1)  # type: ignore[arg-type]


def configured(settings: dict[str, Any]) -> Configuration:
    return parse_configuration(CONFIGURATION | {"rerankers": {"mine": settings}}, "mine.yaml")


@pytest.fixture
def new_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The registry as a new process finds it; forgets afterwards what was added."""
    monkeypatch.setattr(FAMILIES, "_things", dict(FAMILIES._all()))
    monkeypatch.setattr(FAMILIES, "_imported", False)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("offered_by", ["a file of the folder", "an entry point"])
def test_a_new_family_is_one_file(
    new_registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered_by: str
) -> None:
    (tmp_path / "backwards.py").write_text(NEW_FAMILY)
    if offered_by == "an entry point":
        package = tmp_path / "own_reranker-1.0.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Name: own-reranker\nVersion: 1.0\n")
        (package / "entry_points.txt").write_text("[e2rank_eval.rerankers]\nbackwards = backwards\n")
        monkeypatch.syspath_prepend(tmp_path)
    else:
        monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    configuration = configured({"family": "backwards", "depth": 4, "label": "Backwards"})
    settings = configuration.rerankers["mine"]
    assert configuration.model_dump()["rerankers"]["mine"]["depth"] == 4
    assert settings.tokens(Lengths(10, 100, "assumed"), 20).read == 2000
    assert settings.colour == "#123456"
    ranking = settings.build(context()).rank_candidates(
        [Query("q", "x")], [candidate_list("q", ["a", "b", "c"])]
    )[0]
    assert ranking.order == (2, 1, 0)
    assert "backwards" in str(Configuration.model_json_schema())
    with pytest.raises(InputError, match=r"unknown key 'rerankers\.mine\.dept'; did you mean 'depth'"):
        configured({"family": "backwards", "dept": 4})


def test_a_family_whose_import_fails_is_not_skipped_by_the_next_look_up(
    new_registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backwards.py").write_text("import a_package_that_is_missing\n")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    for _ in range(2):
        with pytest.raises(ImportError, match="a_package_that_is_missing"):
            len(FAMILIES)


def test_a_family_without_an_estimate_of_its_cost_cannot_be_used(
    new_registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backwards.py").write_text(NEW_FAMILY.replace("def tokens", "def other"))
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    with pytest.raises(TypeError, match=r"abstract method '?tokens"):
        configured({"family": "backwards"})


def test_families_are_cheap_to_register_and_say_what_they_do() -> None:
    code = (
        "import sys; from e2rank_eval.config.systems import FAMILIES;"
        "assert all(x.__doc__ for x in FAMILIES.values());"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_reranker.py").write_text(
        "from e2rank_eval.rerankers.families.identity import IdentityReranker\n"
        "class Mine(IdentityReranker):\n"
        "    def __init__(self, options, context): self.given = options, context.seed\n"
        "def nothing(options, context): return None\n"
        "constant = 3\n"
    )
    (tmp_path / "broken_reranker.py").write_text("import a_package_that_is_missing\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_reranker", raising=False)


def test_a_custom_factory_is_given_its_options_and_the_context(own_module: None) -> None:
    settings = CustomSettings(family="custom", factory="own_reranker:Mine", options={"depth": 3})
    assert settings.build(context()).given == ({"depth": 3}, 1)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("no_such_module:build", "cannot be imported .*no_such_module.*PYTHONPATH"),
        ("broken_reranker:build", "cannot be imported .*a_package_that_is_missing"),
        ("own_reranker:Sideways", "cannot be imported .*Sideways"),
        ("own_reranker:constant", "is not callable"),
        (
            "own_reranker:nothing",
            "returned a NoneType without fingerprint, rank_candidates, enc",
        ),
    ],
)
def test_a_factory_that_will_not_do_is_named(own_module: None, factory: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CustomSettings(family="custom", factory=factory).build(context())
