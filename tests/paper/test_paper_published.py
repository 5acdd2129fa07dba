"""The published values are complete, as printed, and without repetition."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.paper import published
from e2rank_eval.paper.published import Structure, structure


def test_every_printed_number_is_in_the_data(shared_data):
    with (shared_data.parent / "paper" / "tables.csv").open(newline="") as handle:
        given = [tuple(row.values()) for row in csv.DictReader(handle)]
    ours = [(c.table, c.kind, c.system, c.column, c.printed) for c in published.cells()]
    assert ours == given
    assert len(ours) == 1786


def test_units_follow_what_is_measured():
    units = {(cell.table, cell.column): cell.unit for cell in published.cells()}
    assert units["1", "dl19"] == units["6", "beir-avg"] == "nDCG@10 x 100"
    assert units["6", "mteb-eng-v2"] == units["15", "avg"] == "main score x 100"
    assert units["13", "overall"] == "seconds per query"


def test_every_table_is_described_and_every_part_is_a_column():
    tables = {cell.table for cell in published.cells()}
    assert set(structure().tables) == tables
    for identifier, meaning in structure().tables.items():
        columns = {cell.column for cell in published.table(identifier)}
        declared = {*meaning.averages, *meaning.columns}
        assert declared <= columns
        assert set(meaning.systems) <= {cell.system for cell in published.table(identifier)}
    everywhere = {cell.column for cell in published.cells()}
    assert all(set(weights) <= everywhere for weights in structure().parts.values())
    sizes = {"beir8": 8, "beir7": 7, "bright12": 12, "mteb-v1": 56, "mteb-v2": 41}
    assert {name: sum(weights.values()) for name, weights in structure().parts.items()} == sizes


def test_every_cell_is_a_number_and_printed_once():
    assert all(Decimal(cell.printed).is_finite() for cell in published.cells())
    places = [(cell.table, cell.system, cell.column) for cell in published.cells()]
    assert len(set(places)) == len(places)
    assert all(all(place) for place in places)


def test_unknown_parts_are_refused():
    tolerance = {"reproduced": 1, "near": 2}
    table = {"title": "t", "setting": "s", "averages": {"avg": "beir9"}, "tolerance": tolerance}
    with pytest.raises(ValueError, match="table 1 names unknown parts beir9"):
        Structure.model_validate({"parts": {}, "tables": {"1": table}})


def test_an_unknown_table_lists_the_known_ones():
    with pytest.raises(InputError, match=r"unknown published table '14'"):
        published.table("14")
