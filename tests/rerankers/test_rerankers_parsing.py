"""Permutations read out of well-formed, malformed and arbitrary outputs."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.rerankers.parsing import REPAIRS, parse_permutation

pieces = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.integers(-5, 260).map(lambda number: f"[{number}]"),
        st.integers(0, 10**12).map(str),
        st.sampled_from([" > ", ">", ", ", "<think>", "</think>", "[", "]", "(3)", "[4, 2]", "\n1. ", "[x]"]),
        st.sampled_from(
            ["Passage 3", "［２］", "[٣]", "→", "&gt;", "\\[5\\]", "\u200b", "\x00", '"7"', "[[", "#6"]
        ),
    ),
    max_size=30,
).map("".join)


@given(text=st.one_of(st.text(), pieces), n=st.integers(0, 200), finished=st.booleans())
def test_anything_gives_a_permutation_whose_repairs_add_up(text: str, n: int, finished: bool) -> None:
    parsed = parse_permutation(text, n, finished=finished)
    assert sorted(parsed.order) == list(range(n))
    assert set(parsed.repairs) <= set(REPAIRS)
    assert all(count > 0 for count in parsed.repairs.values())
    missing = parsed.repairs.get("missing", 0)
    assert list(parsed.order[n - missing :]) == sorted(parsed.order[n - missing :])
    unread = {"unreadable", "empty"} & set(parsed.repairs)
    assert bool(unread) == (missing == n and n > 0)


@given(text=st.one_of(st.text(), pieces), n=st.integers(1, 200), finished=st.booleans())
def test_nothing_is_invented(text: str, n: int, finished: bool) -> None:
    """Every document ranked by the model, not appended, is a number or a letter in its output."""
    parsed = parse_permutation(text, n, finished=finished)
    visible = re.sub("[\x00-\x08\x0e-\x1f\x7f\u200b-\u200f\u2060\ufe0e\ufe0f\ufeff\u20e3]", "", text)
    written = {int(digits) for digits in re.findall(r"\d+", visible) if len(digits) < 1000}
    written |= {1 + ord(letter) - ord("A") for letter in re.findall("[A-Z]", visible)}
    named = parsed.order[: n - parsed.repairs.get("missing", 0)]
    assert {position + 1 for position in named} <= written


@given(order=st.integers(0, 200).flatmap(lambda n: st.permutations(range(n))))
def test_a_well_formed_answer_needs_no_repair(order: list[int]) -> None:
    text = " > ".join(f"[{position + 1}]" for position in order)
    parsed = parse_permutation(text, len(order))
    assert parsed.order == tuple(order)
    assert parsed.repairs == {}


ITEMS = st.sampled_from(
    [
        *("[{}]", "[ {} ]", "**[{}]**", '"[{}]"', "\\[{}\\]", "\\\\[{}\\\\]"),
        *("({})", "{{{}}}", "【{}】", "<{}>", "{}", "#{}"),
        *("[Passage {}]", "Passage {}", "[doc{}]", "[ID: {}]"),
    ]
)
SEPARATORS = st.sampled_from(
    [" > ", ">", " >\n", " -> ", " => ", " → ", " >> ", " &gt; ", "\u200b > ", ", ", "; ", "\n"]
)
SCRIPTS = st.sampled_from(["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९"])
AROUND = st.sampled_from(
    [
        *("{}", "{}\n", "\ufeff{}", "```\n{}\n```", "{}<|im_end|>", "$\\boxed{{{}}}$", '{{"ranking": "{}"}}'),
        *("Ranking: {}", "The ranking is: {}.", "Sure! Here you go:\n{}\n", "{}\n\nI hope this helps!"),
        "<think>\n[2]? or [1] > [2]\n</think>\n\n{}",
        *("[1] first?</think>{}", "<thinking>2 > 1</thinking>{}"),
    ]
)


@given(
    order=st.integers(3, 60).flatmap(lambda n: st.permutations(range(1, n + 1))),
    item=ITEMS,
    separator=SEPARATORS,
    digits=SCRIPTS,
    around=AROUND,
)
def test_a_ranking_is_read_whatever_its_form(
    order: list[int], item: str, separator: str, digits: str, around: str
) -> None:
    """As a person would read it, ignoring markup, prose, scripts and thinking."""
    ranking = separator.join(item.format(number) for number in order)
    text = around.format(ranking.translate(str.maketrans("0123456789", digits)))
    assert [position + 1 for position in parse_permutation(text, len(order)).order] == order


@pytest.mark.parametrize(
    ("text", "order", "repairs"),
    [
        ("[2]>[1]\n> [ 3 ] ", (1, 0, 2), {}),
        ("[2] > [9] > [1] > [0] > [3]", (1, 0, 2), {"out_of_range": 2}),
        ("[2] > [1] > [2] > [3] > [2]", (1, 0, 2), {"repeated": 2}),
        ("[3]", (2, 0, 1), {"missing": 2}),
        ("The ranking is [3] > [1] > [2].", (2, 0, 1), {"prose": 1}),
        ("Sure! Of the 3 passages, [2] is best, then [1].", (1, 0, 2), {"prose": 1, "missing": 1}),
        ("1. [3]\n2. [1]\n3. [2]", (2, 0, 1), {"prose": 1}),
        ("(3) > (1) > (2)", (2, 0, 1), {"other_brackets": 1}),
        ("[3, 1, 2]", (2, 0, 1), {"other_brackets": 1}),
        ("[3 > 1 > 2]", (2, 0, 1), {"other_brackets": 1}),
        ("3 > 1 > 2", (2, 0, 1), {"bare_numbers": 1}),
        ("3, 1, 2\n", (2, 0, 1), {"bare_numbers": 1}),
        ("Ranking: 3 > 1 > 2", (2, 0, 1), {"bare_numbers": 1, "prose": 1}),
        ("<think>[1] seems best, or [2]</think>[3] > [2] > [1]", (2, 1, 0), {"thinking": 1}),
        ("[1] seems best</think>\n[3] > [2] > [1]", (2, 1, 0), {"thinking": 1}),
        ("<think>\n\n</think>\n\n", (0, 1, 2), {"thinking": 1, "empty": 1, "missing": 3}),
        ("<think>is it [2]? or", (0, 1, 2), {"thinking": 1, "empty": 1, "missing": 3}),
        ("", (0, 1, 2), {"empty": 1, "missing": 3}),
        (" \n", (0, 1, 2), {"empty": 1, "missing": 3}),
        ("> > >", (0, 1, 2), {"unreadable": 1, "missing": 3}),
        ("[] > [] > []", (0, 1, 2), {"unreadable": 1, "missing": 3}),
        ("I found 3 passages from 2 sources.", (0, 1, 2), {"prose": 1, "unreadable": 1, "missing": 3}),
        ("Error code: 503 - overloaded", (0, 1, 2), {"prose": 1, "unreadable": 1, "missing": 3}),
        (
            "[Errno 111] Connection refused [503]",
            (0, 1, 2),
            {"prose": 1, "unreadable": 1, "out_of_range": 1, "missing": 3},
        ),
        ("[" + "7" * 9000 + "] > [2]", (1, 0, 2), {"out_of_range": 1, "missing": 2}),
        ("[２] > [٣]", (1, 2, 0), {"other_characters": 1, "missing": 1}),
        ("x² > [³]", (0, 1, 2), {"prose": 1, "unreadable": 1, "missing": 3}),
        ("[1, 3] > [2]", (0, 2, 1), {"other_brackets": 1}),
        ("Ranking: [1, 3] > [2]", (0, 2, 1), {"other_brackets": 1, "prose": 1}),
        ("[3] > 2 > [1]", (2, 1, 0), {"bare_numbers": 1}),
        ("3 [2]\n1 [3]\n2 [1]", (1, 2, 0), {"prose": 1}),
        ("[1] is off, [2] helps. So: [3] > [2] > [1]", (2, 1, 0), {"prose": 1}),
        ("First [1] > [2] > [3]. On reflection [3] > [2] > [1].", (2, 1, 0), {"prose": 1}),
        ("I say [3] > [1]. Then [2].", (2, 0, 1), {"prose": 1}),
        ('{"ranking": ["3", "1"]}', (2, 0, 1), {"other_brackets": 1, "prose": 1, "missing": 1}),
        ("- 3\n- 1\n- 2", (2, 0, 1), {"bare_numbers": 1}),
        ("1. 3\n2. 1\n3. 2", (2, 0, 1), {"bare_numbers": 1}),
        ("Ranking: 3, 1, 2", (2, 0, 1), {"bare_numbers": 1, "prose": 1}),
        ("1.3 > 2", (0, 1, 2), {"prose": 1, "unreadable": 1, "missing": 3}),
        ("Passage 3 > Passage 1", (2, 0, 1), {"bare_numbers": 1, "prose": 1, "missing": 1}),
        ("[ID: 3] > [#1]", (2, 0, 1), {"prose": 1, "missing": 1}),
        ("<Thinking>[1]!</Thinking>[3]", (2, 0, 1), {"thinking": 1, "missing": 2}),
        ("<think>no <think> here [1]</think>[3]", (2, 0, 1), {"thinking": 1, "missing": 2}),
        ("<think>a</think>[1]</think>[3]", (2, 0, 1), {"thinking": 1, "missing": 2}),
        ("[3] > [2] > ... > [1]", (2, 1, 0), {}),
        ("[1]-[3]", (0, 2, 1), {"missing": 1}),
        ("[docid: 3] > [doc_id 1] > [Passage ID: 2]", (2, 0, 1), {"prose": 1}),
        ('[{"id": 3, "score": 0.2}, {"id": 1, "score": 0.9}]', (0, 2, 1), {"scored": 1, "missing": 1}),
        (
            '```json\n{"order": [{"rank": 2, "doc_id": "1"}, {"rank": 1, "doc_id": "Doc 2"}]}```',
            (1, 0, 2),
            {"scored": 1, "prose": 1, "missing": 1},
        ),
        ("[{'passage': 3}, {'passage': 1}]", (2, 0, 1), {"scored": 1, "missing": 1}),
        ("Doc: 3, Relevance: 2\nDoc: 1, Relevance: 9.5", (0, 2, 1), {"scored": 1, "prose": 1, "missing": 1}),
        (
            "1. Document 3 (score: 7/10)\n2. Document 2 (score: 8/10)",
            (1, 2, 0),
            {"scored": 1, "prose": 1, "missing": 1},
        ),
        (
            "- id: 2\n  score: -1.5\n- id: 3\n  score: -0.5",
            (2, 1, 0),
            {"scored": 1, "prose": 1, "missing": 1},
        ),
        ("3: 0.5\n1: 0.95", (0, 2, 1), {"scored": 1, "missing": 1}),
        ('{"3": 0.9, "1": 0.95, "2": 0.1}', (0, 2, 1), {"scored": 1}),
        ("Scores: 3: 2, 1: 1, 2: 2.", (2, 1, 0), {"scored": 1, "prose": 1}),
        ("It is 10:30 now.", (0, 1, 2), {"prose": 1, "unreadable": 1, "missing": 3}),
        ("[C] > [A]", (2, 0, 1), {"letters": 1, "missing": 1}),
        ("[Passage B] > [A] > [Z]", (1, 0, 2), {"letters": 1, "out_of_range": 1, "missing": 1}),
        ("The order is C > A > B.", (2, 0, 1), {"letters": 1, "prose": 1}),
        ("I think A is best.", (0, 1, 2), {"prose": 1, "unreadable": 1, "missing": 3}),
    ],
)
def test_known_ways_to_miss_the_format(text: str, order: tuple[int, ...], repairs: dict[str, int]) -> None:
    parsed = parse_permutation(text, 3)
    assert parsed.order == order
    assert parsed.repairs == repairs


@pytest.mark.parametrize(
    ("text", "order", "repairs"),
    [
        ("[2] > [1", (1, 0, 2), {"cut_off": 1, "missing": 2}),
        ("[2] > [", (1, 0, 2), {"cut_off": 1, "missing": 2}),
        ("2 > 1", (1, 0, 2), {"cut_off": 1, "bare_numbers": 1, "missing": 2}),
        ("[3, 1, 2", (2, 0, 1), {"cut_off": 1, "bare_numbers": 1, "missing": 1}),
        ("[3] > [1] > [2]", (2, 0, 1), {"cut_off": 1}),
    ],
)
def test_a_number_at_the_very_end_of_a_cut_answer_is_not_read(
    text: str, order: tuple[int, ...], repairs: dict[str, int]
) -> None:
    parsed = parse_permutation(text, 3, finished=False)
    assert parsed.order == order
    assert parsed.repairs == repairs


def test_no_document_needs_no_answer() -> None:
    assert parse_permutation("[1] > [2]", 0).order == ()


def test_hostile_lengths_take_no_quadratic_time() -> None:
    texts = ["[" * 20_000, "9" * 40_000, "1 > " * 5_000 + "x", "[1" + " " * 20_000, "<think>" * 3_000]
    texts += ["9" * 40_000 + "x", "-" * 40_000, "id" + " " * 40_000, "\t" * 40_000 + "-", "[1," * 15_000]
    texts += [
        "{" * 40_000,
        '{"id"' + " " * 40_000,
        "3: " * 15_000,
        "3" + " " * 40_000,
        "[A" + " " * 40_000,
        "A > " * 15_000,
    ]
    start = time.process_time()
    for text in texts:
        assert len(parse_permutation(text, 5).order) == 5
        assert len(parse_permutation(text, 5, finished=False).order) == 5
    assert time.process_time() - start < 3.0
