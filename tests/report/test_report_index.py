"""Ids of tables and figures: what the verbs write, told apart, and cheap to ask for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from e2rank_eval.config import Configuration, parse_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.report.collect import Results
from e2rank_eval.report.figures import build_figure
from e2rank_eval.report.index import figure_ids, table_ids
from e2rank_eval.report.tables import build_table


def test_every_id_can_be_built_and_carries_its_own_name(stored: Results) -> None:
    for identifier in table_ids(stored.configuration):
        assert build_table(stored, identifier).id == identifier
    for identifier in figure_ids(stored.configuration):
        assert build_figure(stored, identifier).id == identifier


def test_an_unknown_id_is_refused_with_those_known(stored: Results) -> None:
    with pytest.raises(InputError, match=r"no table named 'embeded'.*known: embedded, "):
        build_table(stored, "embeded")
    with pytest.raises(InputError, match=r"no figure named 'wins-'"):
        build_figure(stored, "wins-")


def _configuration(comparisons: list[str], latency: list[str]) -> Configuration:
    compared = {"title": "t", "datasets": ["d"], "first_stage": "s", "rerankers": ["r"], "baselines": ["r"]}
    timed = {"dataset": "d", "first_stage": "s", "rerankers": ["r"]}
    values = {
        "profile": "p",
        "datasets": {"d": {}},
        "first_stages": {"s": {"retriever": "bm25"}},
        "rerankers": {"r": {"family": "identity"}},
        "comparisons": dict.fromkeys(comparisons, compared),
        "latency": dict.fromkeys(latency[:1], timed),
    }
    return parse_configuration(values, "test.yaml")


@pytest.mark.parametrize("names", [["a", "a-tests"], ["latency-x"]])
def test_two_tables_of_one_name_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="two tables would be called"):
        table_ids(_configuration(names, ["x"]))


def test_a_single_system_has_no_wins_to_draw() -> None:
    assert figure_ids(_configuration(["alone"], [])) == []


def test_asking_for_ids_loads_neither_plots_nor_models() -> None:
    code = "import sys, e2rank_eval.report.index; print({'matplotlib', 'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
