"""A language model's answer made plain: thinking passed over; digits, brackets and arrows in ASCII."""

from __future__ import annotations

import re
import unicodedata

_TAG = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\u200b-\u200f\u2060\ufe0e\ufe0f\ufeff\u20e3]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_BRACKETS = dict(zip("〈〉《》「」『』〔〕⟨⟩", "()" * 6, strict=True))
_ARROW = re.compile(r"(?:&gt;|[-=]{0,8}>|[→⇒⟶≻⪰≥»›])+")
_ESCAPED = re.compile(r"\\{1,2}([\[\](){}])")
_LABEL = re.compile(
    r"(?<![^\W\d_])(?:passage|document|doc|text|id)\s*(?:[:#_-]\s*)?(?=[0-9])|#(?=[0-9])", re.I
)


def without_thinking(text: str) -> str:
    """``text`` without thinking blocks; what stands before a closing tag alone is thinking too.

    A block ends at its first closing tag, for a model that thinks may write of tags; an open one never ends.

    >>> without_thinking("<think>[1]?</think>[2]")
    '[2]'
    """
    kept = list[str]()
    start, thinking = 0, False
    for tag in _TAG.finditer(text):
        if tag[1]:
            kept = kept if thinking else []
        elif not thinking:
            kept.append(text[start : tag.start()])
        start, thinking = tag.end(), not tag[1]
    return "".join(kept if thinking else [*kept, text[start:]])


def plain(text: str) -> str:
    """``text`` with decimal digits of any script, full-width signs, arrows and escaped brackets in ASCII.

    >>> plain("［２］ → \\\\[1\\\\]")
    '[2] > [1]'
    """
    visible = _INVISIBLE.sub("", text)
    return _ESCAPED.sub(r"\1", _ARROW.sub(">", _FOREIGN.sub(_ascii, visible)))


def without_labels(text: str) -> str:
    """``text`` without words that only say that a number is a document's.

    >>> without_labels("[Passage 3] > Document 1")
    '[3] > 1'
    """
    return _LABEL.sub("", text)


def _ascii(found: re.Match[str]) -> str:
    sign = found[0]
    digit = unicodedata.decimal(sign, None)
    if digit is not None:
        return str(digit)
    if "！" <= sign <= "～":
        return chr(ord(sign) - ord("！") + ord("!"))
    return _BRACKETS.get(sign, sign)
