"""Data inside a page comes back whole and can end nothing, whatever it holds."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from e2rank_eval.report.html import embed, extract

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


@given(VALUES)
@example("</script><script>alert(1)</script>")
@example({"<!--": ["<script>", "\u2028\u2029", "]]>", "&lt;/script>"]})
def test_any_value_comes_back_and_is_no_markup(value: object) -> None:
    block = str(embed("some-data", value))
    assert extract(f"<p>before</p>{block}<p>after</p>", "some-data") == value
    assert block.count("<") == block.count(">") == 2
    assert block.isascii()


def test_a_block_that_is_not_there_is_none() -> None:
    assert extract(str(embed("some-data", 1)), "other-data") is None
