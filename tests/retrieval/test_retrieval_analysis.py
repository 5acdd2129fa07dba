"""Lucene's English analyser, token by token, against what Lucene's and Anserini's own tests expect."""

from __future__ import annotations

import re
import time

import pytest
import regex
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.retrieval import lucene
from e2rank_eval.retrieval.lucene import PICTOGRAPH, STOP_WORDS, lucene_terms, simple_terms, stem, words

# What apache/lucene states in TestStandardAnalyzer (9.x); texts and expected tokens, joined by |.
STANDARD = {
    "": "",
    ".": "",
    "B2B 2B": "B2B|2B",
    "some-dashed-phrase": "some|dashed|phrase",
    "dogs,chase,cats": "dogs|chase|cats",
    "ac/dc": "ac|dc",
    "O'Reilly you're she's Jim's don't O'Reilly's": "O'Reilly|you're|she's|Jim's|don't|O'Reilly's",
    "21.35": "21.35",
    "R2D2 C3PO": "R2D2|C3PO",
    "216.239.63.104": "216.239.63.104",
    "David has 5000 bones": "David|has|5000|bones",
    "foo      bar .  FOO <> BAR": "foo|bar|FOO|BAR",
    '"QUOTED" word': "QUOTED|word",
    "A:B": "A:B",
    "A::B": "A|B",
    "1.2": "1.2",
    "A.B": "A.B",
    "1..2": "1|2",
    "A..B": "A|B",
    "1,2": "1,2",
    "1,,2": "1|2",
    "A.:B": "A|B",
    "A:.B": "A|B",
    "1,.2": "1|2",
    "1.,2": "1|2",
    "A:B_A:B": "A:B_A:B",
    "A:B_A::B": "A:B_A|B",
    "1.2_1.2": "1.2_1.2",
    "A.B_A.B": "A.B_A.B",
    "1.2_1..2": "1.2_1|2",
    "A.B_A..B": "A.B_A|B",
    "1,2_1,2": "1,2_1,2",
    "1,2_1,,2": "1,2_1|2",
    "C_A.:B": "C_A|B",
    "C_A:.B": "C_A|B",
    "3_1,.2": "3_1|2",
    "3_1.,2": "3_1|2",
    "mo\u0364chte": "mo\u0364chte",
    "안녕하세요 한글입니다": "안녕하세요|한글입니다",
    "我是中国人。 １２３４ Ｔｅｓｔｓ ": "我|是|中|国|人|１２３４|Ｔｅｓｔｓ",
    "仮名遣い カタカナ": "仮|名|遣|い|カタカナ",
    "𩬅艱鍟䇹愯瀛": "𩬅|艱|鍟|䇹|愯|瀛",
    "壹\u3099": "壹\u3099",
    "การที่ได้ต้องแสดงว่างานดี. แล้วเธอจะไปไหน? ๑๒๓๔": "การที่ได้ต้องแสดงว่างานดี|แล้วเธอจะไปไหน|๑๒๓๔",
    "ສາທາລະນະລັດ ປະຊາທິປະໄຕ ປະຊາຊົນລາວ": "ສາທາລະນະລັດ|ປະຊາທິປະໄຕ|ປະຊາຊົນລາວ",
    "(4,600` հայերեն վիքիպեդիայում)": "4,600|հայերեն|վիքիպեդիայում",
    "ነው። ማንኛውም": "ነው|ማንኛውም",
    "(بالإنجليزية: Truth in)، سيتم إطلاقه في 2008.": "بالإنجليزية|Truth|in|سيتم|إطلاقه|في|2008",
    "২০০টিরও বেশী ভাষায় উইকিপিডিয়া রয়েছে।": "২০০টিরও|বেশী|ভাষায়|উইকিপিডিয়া|রয়েছে",
    "📩 💩💩": "📩|💩|💩",
    "👩\u200d❤\ufe0f\u200d👩": "👩\u200d❤\ufe0f\u200d👩",
    "👨🏼\u200d⚕\ufe0f": "👨🏼\u200d⚕\ufe0f",
    "🇺🇸🇺🇸": "🇺🇸|🇺🇸",
    "#\ufe0f\u20e3": "#\ufe0f\u20e3",
    "3\ufe0f\u20e3": "3\ufe0f\u20e3",
    "#\ufe0e": "",
    "3\ufe0e": "3\ufe0e",
    "\u2b55\ufe0e": "\u2b55",
    "\u2b55\ufe0e\u200d\u2b55\ufe0e": "\u2b55|\u200d\u2b55",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f": (
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    ),
    "poo💩poo": "poo|💩|poo",
    "💩中國💩": "💩|中|國|💩",
}

# WordBreakTestUnicode_12_1_0 of the same project, after Unicode's own WordBreakTest.txt.
WORD_BREAKS = {
    "\u0001\u0308\r": "",
    "\u0001\u3031": "\u3031",
    "\u0001\u0308a\u2060": "a\u2060",
    "\u0001_": "",
    "\u0001\U0001f1e6": "",
    "\u0001\u05d0": "\u05d0",
    "\u0001\u231a": "\u231a",
    "\u0001a'\u2060": "a",
    "\u00011.\u2060": "1",
    "a_a:,1": "a_a|1",
    "a:,a": "a|a",
    "a_1:,a": "a_1|a",
    "a.:1": "a|1",
    "a_1..a": "a_1|a",
    "a_a.,1": "a_a|1",
    "a_1,:1": "a_1|1",
    "a,.a": "a|a",
    "a_a,,1": "a_a|1",
}


# Read off the grammar, StandardTokenizerImpl.jflex: where one of its rules begins inside what another skips.
GRAMMAR = {
    "_\U0001f3fc": "\U0001f3fc",
    "_\u0e31\U0001f1f8": "\u0e31",
    "\u203f_\u200d\xa9": "\u200d\xa9",
    '\u05d0"\u05d1': '\u05d0"\u05d1',
    "\u05d0'": "\u05d0'",
    "a'\u05d0\"\u05d1": "a'\u05d0|\u05d1",
    "\u24c2b": "\u24c2b",
    "\xa9": "\xa9",
}


@pytest.mark.parametrize(("text", "expected"), [*STANDARD.items(), *WORD_BREAKS.items(), *GRAMMAR.items()])
def test_words_are_lucenes(text: str, expected: str) -> None:
    assert words(text) == [word for word in expected.split("|") if word]


# TestEnglishAnalyzer of apache/lucene, AnalyzerUtilsTest of castorini/anserini, and the stop set.
@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("books", ["book"]),
        ("book", ["book"]),
        ("the", []),
        ("steven's", ["steven"]),
        ("steven\u2019s", ["steven"]),
        ("steven\uff07s", ["steven"]),
        ("STEVEN'S", ["steven"]),
        ("The 33 ARE not such", ["33"]),
        ("Preliminary algebraic language", ["preliminari", "algebra", "languag"]),
        ("\u0130stanbul \u039f\u0394\u039f\u03a3", ["istanbul", "\u03bf\u03b4\u03bf\u03c3"]),
    ],
)
def test_terms_are_lucenes(text: str, terms: list[str]) -> None:
    assert lucene_terms(text) == terms
    assert len(STOP_WORDS) == 33


def test_a_token_of_more_than_255_characters_continues_as_another() -> None:
    longest = "b" * 255
    assert words(f"x {longest} {longest}b") == ["x", longest, longest, "b"]
    astral = "\U00010300" * 128
    assert words(astral) == ["\U00010300" * 127, "\U00010300"]


def test_time_grows_with_the_text_alone() -> None:
    """Underscores that belong to no word must not be read again from each of them (LUCENE-5897)."""
    started = time.process_time()  # which other processes do not move
    assert words("_" * 200_000 + "-" + "a" * 300_000)[-1] == "a" * (300_000 % 255)
    assert words("\u203f\u0308" * 50_000 + " \u00e9") == ["\u00e9"]
    assert time.process_time() - started < 5


def test_pictographs_are_those_of_unicode_12_1() -> None:
    """emoji-data.txt of 12.1 counts 3,793; those of today's tables that remain must be among them."""
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    old = {character for character in characters if PICTOGRAPH.match(character)}
    new = set(regex.findall(r"\p{Extended_Pictographic}", "".join(characters)))
    assert len(old) == 3793
    assert new <= old


ALPHABET = "aZ9_.,:;'\"- "
LETTERS = st.sampled_from([*ALPHABET, "\u05d0", "\u0308", "\u30ab", "\u6c49", "\u231a", "\u200d", "\u00e9"])


@given(st.text(st.sampled_from(ALPHABET), max_size=30))
def test_the_fast_form_for_ascii_is_the_general_one(text: str) -> None:
    assert words(text) == lucene._with_emoji(text)


@given(st.text(LETTERS, max_size=30))
def test_words_cover_every_letter_in_order(text: str) -> None:
    found = words(text)
    assert "".join(re.findall(r"[^\W_]", "".join(found))) == "".join(re.findall(r"[^\W_]", text))
    position = 0
    for word in found:
        position = text.index(word, position) + len(word)


@given(
    st.from_regex(
        r"[a-z]{3,8}(s|ed|ing|y|ation|ational|ness|ful|ize|ement|ion|ity|ance|able|al|e|ll)?", fullmatch=True
    )
)
def test_stems_are_snowballs_but_for_the_departures(word: str) -> None:
    """Snowball's "porter" is the algorithm of 1980; Lucene's has "bli" and "logi", and undoubles any verb."""
    if re.search(r"bl[iy]|log[iy]|([chjkqvwx])\1", word):
        return
    assert stem(word) == Stemmer.Stemmer("porter").stemWord(word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("technology", "technolog"), ("geology", "geologi"), ("analogies", "analog"),
        ("possibly", "possibl"), ("as", "as"), ("s", "s"),
        ("feed", "feed"), ("agreed", "agre"), ("hoping", "hope"), ("falling", "fall"), ("sky", "sky"),
        ("vietnamization", "vietnam"), ("adoption", "adopt"), ("ion", "ion"), ("aed", "a"), ("yours", "your"),
        ("trekking", "trek"), ("trekked", "trek"), ("bliing", "bli"), ("visibly", "visibl"),
    ],
)  # fmt: skip
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_the_analysers_differ_as_documented() -> None:
    assert lucene_terms("U.S. B-52s, a 5% rise; technology") == [
        "u.", "b", "52", "5", "rise", "technolog",
    ]  # fmt: skip
    assert simple_terms("U.S. B-52s, a 5% rise; technology") == ["52", "rise", "technologi"]
