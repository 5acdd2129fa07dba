"""Parses the permutation in a language model's output, counting every repair by kind."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REPAIRS = {
    "thinking": "a <think> block was skipped",
    "empty": "nothing was generated",
    "cut_off": "the output ended at the token limit",
    "other_characters": "digits, brackets or arrows were not ASCII, escaped, or mixed with invisible signs",
    "other_brackets": "identifiers were in brackets other than [], or several in one pair",
    "bare_numbers": "identifiers were not in brackets",
    "scored": "identifiers had scores or ranks, by which they were ordered",
    "letters": "identifiers were letters",
    "prose": "there was text besides identifiers",
    "unreadable": "there was no identifier",
    "out_of_range": "identifiers that no document has",
    "repeated": "identifiers that occurred before",
    "missing": "documents without an identifier in the output, appended in their input order",
}
"""What each kind means. The last three count identifiers or documents, all others count outputs.

Rerankers that use logits count ``floored`` instead: logits that a server did not return.
"""

_QUOTED = r"[\"']?[0-9]+[\"']?"
_LIST = rf"\s*{_QUOTED}(?:\s*[,;>]\s*{_QUOTED})*\s*"
_ITEM = r"(?:\[\s*[0-9]+\s*\]|[0-9]+)"
_SQUARE = re.compile(r"\[\s*([0-9]+)\s*\]")
_SQUARE_LIST = re.compile(rf"\[{_LIST}\]")
_ANY_BRACKETS = re.compile(rf"[\[({{<【]{_LIST}[\])}}>】]")
_CHAIN = re.compile(rf"(?<![0-9.]){_ITEM}(?:\s*>\s*{_ITEM})+")
_BARE_LIST = re.compile(r"(?<![0-9.])[0-9]+(?:[ \t]*[,;\n][ \t]*[0-9]+)+")
_MIXED = re.compile(rf"\s*(?:\[{_LIST}\]|[0-9]+)(?:\s*[>,;]\s*(?:\[{_LIST}\]|[0-9]+))*[\s>,;.]*")
_NUMBERS_ONLY = re.compile(r"[\[({]?[0-9\s>,;|\"'`]+(?:\.\s*)?")
_BULLET = re.compile(r"^[ \t]*(?:[-*•]|[0-9]{1,3}[.)])[ \t]+", re.MULTILINE)
_NUMBER = re.compile(r"[0-9]+")
_DIGITS = "0123456789"
_LONGEST_NUMBER = 9
_TAG = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\u200b-\u200f\u2060\ufe0e\ufe0f\ufeff\u20e3]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_BRACKETS = dict(zip("〈〉《》「」『』〔〕⟨⟩", "()" * 6, strict=True))
_ARROW = re.compile(r"(?:&gt;|[-=]{0,8}>|[→⇒⟶≻⪰≥»›])+")
_ESCAPED = re.compile(r"\\{1,2}([\[\](){}])")
_NAMING = r"(?:(?:passage|document|doc|text)(?:[ _-]?id)?|id)"
_LABEL = re.compile(rf"(?<![^\W\d_]){_NAMING}\s*(?:[:#_-]\s*)?(?=[0-9])|#(?=[0-9])", re.I)
_VALUE = r"(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)"
_SCORE = r"(?:relevance|score|rating)(?:[ _]?(?:score|rating))?"
_OBJECT = re.compile(r"\{[^{}]*\}")
_OBJECT_ID = re.compile(rf"[\"'](?:{_NAMING}|identifier)[\"']\s*:\s*[\"']?([0-9]+)", re.I)
_OBJECT_RANK = re.compile(r"[\"'](?:rank|position)[\"']\s*:\s*[\"']?([0-9]{1,9})", re.I)
_OBJECT_SCORE = re.compile(rf"[\"']{_SCORE}[\"']\s*:\s*[\"']?{_VALUE}", re.I)
_SCORED = re.compile(
    rf"(?<![0-9.])([0-9]+)(?:[\s,;|(:=\"'–—-]{{0,8}}{_SCORE}[\s:=\"']{{0,6}}|[\"']?\s{{0,4}}[:=]\s{{0,4}}){_VALUE}"
    r"(?:/[0-9]{1,4}|%)?", re.I,
)  # fmt: skip
_LETTER = re.compile(rf"\[\s*(?:(?i:{_NAMING})\s*[:#_-]?\s*)?([A-Z])\s*\]")
_LETTER_CHAIN = re.compile(r"(?<![^\W_])[A-Z](?:\s*[>,]\s*[A-Z])+(?![^\W_])")


@dataclass(frozen=True, slots=True)
class Parsed:
    """``order`` is a permutation of ``range(n)``; ``repairs`` counts by the kinds of :data:`REPAIRS`."""

    order: tuple[int, ...]
    repairs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Reading:
    """Identifiers found in an output, the kind of repair that this needed, and the remaining text."""

    numbers: Sequence[str]
    repair: str | None
    rest: str


def parse_permutation(text: str, n: int, *, finished: bool = True) -> Parsed:
    """Return the order that ``text`` gives to ``n`` documents numbered from 1; any text is accepted.

    In prose, a chain joined by ``>`` that names more than half of the documents is the ranking. Otherwise
    the first of these forms that occurs is read, in order of mention:

    1. numbers in square brackets;
    2. numbers in other brackets;
    3. numbers with a score or a rank each, which orders them;
    4. bare numbers, if the text has nothing else, chains them with ``>``, or lists more than half of the
       documents in a row;
    5. letters: A is the first document.

    The first mention of a document counts. ``finished`` is false where a token limit cut the text; a number
    at its very end is then ignored, as it may be the start of a longer one.

    >>> parse_permutation("[3] > [1]", 3).order
    (2, 0, 1)
    >>> parse_permutation("[2] > [7] > [2]", 2).repairs
    {'out_of_range': 1, 'repeated': 1, 'missing': 1}
    """
    repairs: Counter[str] = Counter()
    if n == 0:
        return Parsed((), {})
    answered = _without_thinking(text)
    answer = _plain(answered)
    repairs["thinking"] = int(answered != text)
    repairs["cut_off"] = int(not finished)
    repairs["other_characters"] = int(answer != answered)
    if not finished:
        answer = answer.rstrip(_DIGITS)
    unlabelled = _without_labels(answer)
    reading = _read(unlabelled, n)
    if reading.repair:
        repairs[reading.repair] = 1
    has_prose = any(character.isalnum() for character in reading.rest)
    repairs["prose"] = int(has_prose or unlabelled != answer)
    order = _first_mentions(reading.numbers, n, repairs)
    if not order:
        repairs["unreadable" if answer.strip() else "empty"] = 1
    named = set(order)
    missing = [position for position in range(n) if position not in named]
    repairs["missing"] = len(missing)
    return Parsed((*order, *missing), {kind: repairs[kind] for kind in REPAIRS if repairs[kind]})


def _read(answer: str, n: int) -> _Reading:
    if "[" in answer and _MIXED.fullmatch(answer):
        return _Reading(_NUMBER.findall(answer), _form(answer), "")
    if any(character.isalpha() for character in answer) and (chain := _ranking(_CHAIN, answer, n)):
        ranked = _NUMBER.findall(chain)
        others = [number for number in _SQUARE.findall(answer) if number not in set(ranked)]
        return _Reading([*ranked, *others], _form(chain), _SQUARE.sub("", answer.replace(chain, "")))
    if singles := _SQUARE.findall(answer):
        lists = _NUMBER.findall(" ".join(_SQUARE_LIST.findall(answer)))
        if len(lists) > len(singles) and _names(singles, n) != n:
            return _Reading(lists, "other_brackets", _SQUARE_LIST.sub("", answer))
        return _Reading(singles, None, _SQUARE.sub("", answer))
    if found := _ANY_BRACKETS.findall(answer):
        return _Reading(_NUMBER.findall(" ".join(found)), "other_brackets", _ANY_BRACKETS.sub("", answer))
    return _read_scored(answer, n) or _read_bare(answer, n) or _read_letters(answer)


def _read_scored(answer: str, n: int) -> _Reading | None:
    """Read objects with an id, or pairs such as ``3: 0.9`` that name most documents or are the whole text.

    Higher scores and lower ranks are better; objects with neither keep their order.
    """
    if objects := [one for one in _OBJECT.findall(answer) if _OBJECT_ID.search(one)]:
        numbers = [found[1] for one in objects if (found := _OBJECT_ID.search(one))]
        ranks = [float(found[1]) for one in objects if (found := _OBJECT_RANK.search(one))]
        scores = [-float(found[1]) for one in objects if (found := _OBJECT_SCORE.search(one))]
        keys = next((one for one in (ranks, scores) if len(one) == len(numbers)), [0.0] * len(numbers))
        rest = _OBJECT.sub("", answer)
    else:
        listed = _BULLET.sub("", answer)
        pairs = _SCORED.findall(listed)
        numbers, keys = [number for number, _ in pairs], [-float(score) for _, score in pairs]
        rest = _SCORED.sub("", listed)
        whole = not any(character.isalnum() for character in rest)
        ranked = numbers == [str(1 + at) for at in range(n)] and {-int(key) for key in keys} == {
            *range(1, n + 1)
        }
        if not numbers or ranked or not (whole or 2 * _names(numbers, n) > max(n, 2)):
            return None
    order = sorted(range(len(numbers)), key=keys.__getitem__)
    return _Reading([numbers[at] for at in order], "scored", rest)


def _read_letters(answer: str) -> _Reading:
    letters, rest = _LETTER.findall(answer), _LETTER.sub("", answer)
    if not letters and (chains := _LETTER_CHAIN.findall(answer)):
        letters, rest = re.findall("[A-Z]", max(chains, key=len)), _LETTER_CHAIN.sub("", answer)
    return _Reading(
        [str(1 + ord(letter) - ord("A")) for letter in letters], "letters" if letters else None, rest
    )


def _read_bare(answer: str, n: int) -> _Reading | None:
    listed = _BULLET.sub("", answer)
    if _NUMBERS_ONLY.fullmatch(listed) and (found := _NUMBER.findall(listed)):
        return _Reading(found, "bare_numbers", "")
    if chains := _CHAIN.findall(answer):
        longest = max(chains, key=lambda chain: chain.count(">"))
        return _Reading(_NUMBER.findall(longest), "bare_numbers", _CHAIN.sub("", answer))
    if ranking := _ranking(_BARE_LIST, answer, n):
        return _Reading(_NUMBER.findall(ranking), "bare_numbers", answer.replace(ranking, ""))
    return None


def _ranking(form: re.Pattern[str], answer: str, n: int) -> str | None:
    """Return the match of ``form`` that names most documents, the last on ties; None for half or fewer."""
    chains = form.findall(answer)
    named = [_names(_NUMBER.findall(chain), n) for chain in chains]
    most = max(named, default=0)
    if most < 2 or 2 * most <= n:
        return None
    best: str = chains[len(named) - 1 - named[::-1].index(most)]
    return best


def _names(numbers: Sequence[str], n: int) -> int:
    """Return how many of the documents 1..n occur in ``numbers``."""
    return len({int(one) for one in numbers if len(one) <= _LONGEST_NUMBER and 1 <= int(one) <= n})


def _form(identifiers: str) -> str | None:
    """Return the kind of repair for numbers in this form; None where each has its own square brackets."""
    if not _NUMBER.search(_SQUARE.sub("", identifiers)):
        return None
    return "bare_numbers" if _NUMBER.search(_SQUARE_LIST.sub("", identifiers)) else "other_brackets"


def _first_mentions(numbers: Sequence[str], n: int, repairs: Counter[str]) -> list[int]:
    order: list[int] = []
    seen: set[int] = set()
    for number in numbers:
        # int() refuses strings of thousands of digits, which a looping model can generate.
        position = int(number) - 1 if len(number) <= _LONGEST_NUMBER else n
        if not 0 <= position < n:
            repairs["out_of_range"] += 1
        elif position in seen:
            repairs["repeated"] += 1
        else:
            seen.add(position)
            order.append(position)
    return order


def _without_thinking(text: str) -> str:
    """Return ``text`` without thinking blocks, or the text before a closing tag that was never opened.

    A block ends at its first closing tag, even if the model mentions further opening tags inside; a block
    without a closing tag extends to the end.

    >>> _without_thinking("<think>[1]?</think>[2]")
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


def _plain(text: str) -> str:
    """Return ``text`` with digits of any script, full-width signs, arrows and escaped brackets in ASCII.

    >>> _plain("［２］ → \\\\[1\\\\]")
    '[2] > [1]'
    """
    visible = _INVISIBLE.sub("", text)
    return _ESCAPED.sub(r"\1", _ARROW.sub(">", _FOREIGN.sub(_ascii, visible)))


def _without_labels(text: str) -> str:
    """Return ``text`` without words such as "passage" or "id" that label a number.

    >>> _without_labels("[Passage 3] > Document 1")
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
