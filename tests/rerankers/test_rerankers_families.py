"""Families are found by name, loaded only when asked for, and a user's own one is found or clearly not."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from toy_vectors import candidate_list

from e2rank_eval import config as configuration
from e2rank_eval.config import CustomSettings, IdentitySettings
from e2rank_eval.errors import InputError
from e2rank_eval.records import Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families import FAMILIES, build_reranker, families
from e2rank_eval.rerankers.identity import IdentityReranker


def context() -> RerankContext:
    return RerankContext(models=None, seed=1)  # type: ignore[arg-type]


def custom(factory: str, **options: Any) -> CustomSettings:
    return CustomSettings(family="custom", factory=factory, options=options)


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_reranker.py").write_text(
        "from e2rank_eval.records import Ranking, QueryStats\n"
        "class Backwards:\n"
        "    fingerprint = 'backwards'\n"
        "    def __init__(self, options, context):\n"
        "        self.options, self.seed = options, context.seed\n"
        "    def rank(self, query, candidates):\n"
        "        return Ranking(candidates, tuple(reversed(range(len(candidates)))), QueryStats())\n"
        "    def rank_many(self, queries, candidates):\n"
        "        return [self.rank(q, c) for q, c in zip(queries, candidates)]\n"
        "    def prepare(self, documents): pass\n"
        "def nothing(options, context): return None\n"
        "constant = 3\n"
    )
    (tmp_path / "broken_reranker.py").write_text("import a_package_that_is_missing\n")
    package = tmp_path / "own_reranker-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: own-reranker\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[e2rank_eval.rerankers]\nbackwards = own_reranker:Backwards\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_reranker", raising=False)


def test_every_family_of_the_configuration_has_its_place() -> None:
    union, _ = get_args(configuration.RerankerSettings)
    named = {get_args(one.model_fields["family"].annotation)[0] for one in get_args(union)}
    assert set(FAMILIES) | {"custom"} == named
    assert all(description for description in families().values())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_place_is_a_class_that_builds_itself_from_settings(family: str) -> None:
    module, _, name = FAMILIES[family].place.partition(":")
    assert callable(getattr(importlib.import_module(module), name).from_settings)


def test_builds_a_family_of_the_suite() -> None:
    assert isinstance(build_reranker(IdentitySettings(family="identity"), context()), IdentityReranker)


@pytest.mark.parametrize("factory", ["own_reranker:Backwards", "backwards"])
def test_custom_family_by_place_or_entry_point(own_module: None, factory: str) -> None:
    reranker = build_reranker(custom(factory, depth=3), context())
    ranking = reranker.rank(Query("q", "x"), candidate_list("q", ["a", "b", "c"]))
    assert ranking.order == (2, 1, 0)
    assert (reranker.options, reranker.seed) == ({"depth": 3}, 1)  # type: ignore[attr-defined]
    assert families()["custom: backwards"] == "entry point own_reranker:Backwards"


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("forwards", "no entry point 'forwards'.*installed: backwards"),
        ("no_such_module:build", "cannot be imported .*no_such_module.*PYTHONPATH"),
        ("broken_reranker:build", "cannot be imported .*a_package_that_is_missing"),
        ("own_reranker:Sideways", "cannot be imported .*Sideways"),
        ("own_reranker:constant", "is no callable"),
        ("own_reranker:nothing", "returned a NoneType without fingerprint, rank, rank_many, prepare"),
    ],
)
def test_a_factory_that_will_not_do_is_named(own_module: None, factory: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_reranker(custom(factory), context())


def test_listing_families_loads_none_of_them() -> None:
    code = (
        "import sys; from e2rank_eval.rerankers.families import families; families();"
        "print([m for m in ('torch', 'transformers', 'e2rank_eval.rerankers.e2rank') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
