"""The paper's numbers are all there, as printed, and a damaged file is told by line."""

from __future__ import annotations

import csv
import fnmatch
import tomllib
from pathlib import Path

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.paper import published
from e2rank_eval.paper.structure import read_structure, structure

ROOT = Path(__file__).parents[2]
HEADER = "table,kind,system,column,unit,value\n"


def test_every_printed_number_is_there(shared_data):
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
        declared = {*meaning.averages, *meaning.columns, *meaning.sums}
        assert declared <= columns
        assert set(meaning.systems) <= {cell.system for cell in published.table(identifier)}
    everywhere = {cell.column for cell in published.cells()}
    assert all(set(weights) <= everywhere for weights in structure().parts.values())
    sizes = {"beir8": 8, "beir7": 7, "bright12": 12, "mteb-v1": 56, "mteb-v2": 41}
    assert {name: sum(weights.values()) for name, weights in structure().parts.items()} == sizes


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("table,system\n", 1, "wrong header"),
        (HEADER + "1,rerank,BM25,dl19,nDCG\n", 2, "5 fields instead of 6"),
        (HEADER + "1,rerank,BM25,dl19,nDCG,50.58\n1,rerank,BM25,dl20,nDCG,5O.1\n", 3, "'5O.1' is no number"),
        (HEADER + "1,rerank,BM25,dl19,nDCG,inf\n", 2, "'inf' is no number"),
        (HEADER + "1,rerank,BM25,dl19,nDCG,1\n1,rerank,BM25,dl19,nDCG,2\n", 3, "stands in line 2 already"),
        (HEADER + "1,rerank,,dl19,nDCG,1\n", 2, "no system"),
    ],
)
def test_a_damaged_table_is_told_by_line(content, line, problem, tmp_path):
    path = tmp_path / "tables.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=problem) as caught:
        published.read_tables(path)
    assert (caught.value.path, caught.value.line) == (path, line)


def test_a_claim_with_a_margin_needs_a_number(tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text("subject,statement,value,margin,section,note\nsamples,about 87k,about 87k,500,4.1,\n")
    with pytest.raises(InputError, match=r"claims\.csv:2: 'about 87k' is no number"):
        published.read_claims(path)


def test_unknown_parts_are_refused(tmp_path):
    path = tmp_path / "tables.yaml"
    path.write_text(
        "parts: {}\ntables: {'1': {title: t, setting: s, averages: {avg: beir9}, "
        "tolerance: {reproduced: 1, near: 2}}}\n"
    )
    with pytest.raises(InputError, match="table 1 names unknown parts 'beir9'"):
        read_structure(path)


def test_an_unknown_table_lists_those_there_are():
    with pytest.raises(InputError, match=r"no published table '14'; known: 1, 2, 3"):
        published.table("14")


def test_an_installed_wheel_has_the_data():
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    patterns = packaged["e2rank_eval"]
    for path in (ROOT / "e2rank_eval" / "paper").iterdir():
        if path.suffix in (".csv", ".yaml"):
            assert any(fnmatch.fnmatch(f"paper/{path.name}", pattern) for pattern in patterns)
