"""The Lee texts: complete graded judgements, read as their authors meant them."""

from __future__ import annotations

import math
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.datasets.loaders import lee
from e2rank_eval.errors import InputError


def test_every_text_is_judged_against_every_other(lee_dataset):
    assert len(lee_dataset.corpus) == len(lee_dataset.queries) == 50
    for query_id, grades in lee_dataset.qrels.items():
        assert grades.keys() == lee_dataset.corpus.keys() - {query_id}
        assert lee_dataset.exclusions[query_id] == {query_id}
        assert lee_dataset.queries[query_id].text == lee_dataset.corpus[query_id].text


def test_judgements_are_symmetric_and_grades_as_measured(lee_dataset):
    qrels = lee_dataset.qrels
    assert all(qrels[d][q] == grade for q, grades in qrels.items() for d, grade in grades.items())
    grades = Counter(grade for judged in qrels.values() for grade in judged.values())
    assert grades == {0: 1358, 1: 806, 2: 194, 3: 74, 4: 18}


def test_texts_are_read_as_latin_1(lee_dataset):
    """The file's non-ASCII bytes must decode to the intended characters."""
    beyond = {c for d in lee_dataset.corpus.values() for c in d.text if ord(c) > 127}
    assert "\N{REPLACEMENT CHARACTER}" not in beyond
    assert beyond
    assert lee_dataset.corpus["1"].text.startswith("The national executive of the strife-torn Democrats")
    assert lee_dataset.corpus["50"].text.endswith("Senator Brown said today.")


@given(st.integers(min_value=0, max_value=1000))
def test_grades_round_half_up(thousandths):
    mark = Decimal(thousandths) / 1000 * 5 - 1
    expected = max(0, int(mark.quantize(Decimal(1), ROUND_HALF_UP))) if mark > 0 else 0
    assert lee.grade(thousandths / 1000) == expected


@pytest.mark.parametrize("half", [0.3, 0.5, 0.7, 0.9])
def test_a_half_just_below_by_floating_point_still_rounds_up(half):
    assert lee.grade(math.nextafter(half, 0)) == lee.grade(half) == round(half * 5 - 0.5)


def _write(folder, texts, rows):
    (folder / lee.TEXTS).write_bytes("\n".join(texts).encode("latin-1"))
    (folder / lee.SIMILARITIES).write_text("\n".join("\t".join(row) for row in rows) + "\n")


def test_the_upper_triangle_decides_both_directions(tmp_path):
    _write(tmp_path, ["one", "two\x85still two"], [["1", "0.9"], ["0", "1"]])
    dataset = lee.load(tmp_path)
    assert dataset.qrels == {"1": {"2": 4}, "2": {"1": 4}}
    assert dataset.corpus["2"].text == "two\x85still two"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["1", "0.5"]], "similarities0-1.txt: 1 rows for 2 texts"),
        ([["1", "0.5"], ["0"]], "similarities0-1.txt:2: 1 columns for 2 texts"),
        ([["1", "half"], ["0", "1"]], "similarities0-1.txt:1: similarity 'half' is not a number"),
        ([["1", "3.5"], ["0", "1"]], "similarities0-1.txt:1: similarity '3.5' is not a number"),
        ([["1", "nan"], ["0", "1"]], "similarities0-1.txt:1: similarity 'nan' is not a number"),
    ],
)
def test_malformed_similarities_are_named(rows, message, tmp_path):
    _write(tmp_path, ["one", "two"], rows)
    with pytest.raises(InputError) as failure:
        lee.load(tmp_path)
    assert message in str(failure.value)
