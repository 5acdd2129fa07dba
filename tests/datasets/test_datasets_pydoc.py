"""Docstring-to-code retrieval: real functions of the running Python, whose text excludes the query."""

from __future__ import annotations

import ast
import platform
import random
import textwrap
from collections import Counter

import pytest

from e2rank_eval.datasets.loaders import pydoc
from e2rank_eval.datasets.loaders.pydoc import Function, functions
from e2rank_eval.errors import UnavailableError


@pytest.fixture(scope="module")
def library():
    return list(pydoc.standard_library())


@pytest.fixture(scope="module")
def dataset():
    return pydoc.load(seed=13, documents=2000, queries=100)


def _by_name(source: str) -> dict[str, Function]:
    return {f.id.removeprefix("m:"): f for f in functions(textwrap.dedent(source), "m")}


def test_a_sample_of_this_python(dataset):
    assert len(dataset.corpus) == 2000
    assert len(dataset.queries) == len(dataset.qrels) == 100
    expected = f"pydoc-{platform.python_version()}-{pydoc.corpus_hash(dataset.corpus.values())[:8]}"
    assert dataset.id == expected
    for query_id, grades in dataset.qrels.items():
        (document_id,) = grades
        assert grades == {document_id: 1}
        assert document_id in dataset.corpus
        assert query_id == pydoc.query_id(document_id)
    assert not dataset.queries.keys() & dataset.corpus.keys()


def test_the_same_seed_gives_the_same_data_and_another_seed_other_data(dataset, library, monkeypatch):
    monkeypatch.setattr(pydoc, "standard_library", lambda: library)
    assert pydoc.load(seed=13, documents=2000, queries=100) == dataset
    other = pydoc.load(seed=14, documents=2000, queries=100)
    assert other.id != dataset.id
    assert other.queries.keys() != dataset.queries.keys()


def test_no_document_holds_its_description(dataset):
    for query_id, grades in dataset.qrels.items():
        (document_id,) = grades
        code = " ".join(dataset.corpus[document_id].text.split())
        assert dataset.queries[query_id].text not in code


def test_documents_are_functions_without_docstring(library):
    """Every document is still Python, has lost its docstring and nothing else of its body."""
    for function in random.Random(0).sample(library, 400):
        indented = function.code.startswith(" ")
        (node,) = (
            ast.parse("if True:\n" + function.code).body[0].body
            if indented
            else ast.parse(function.code).body
        )
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        assert node.name == function.id.rsplit(".", 1)[-1].rsplit(":", 1)[-1]
        assert function.description not in (ast.get_docstring(node) or "")


def test_a_known_function_is_as_in_the_library(library):
    import inspect
    import textwrap as module

    function = next(f for f in library if f.id == "textwrap:fill")
    whole = inspect.getsource(module.fill).split("\n")
    start = next(n for n, line in enumerate(whole) if '"""' in line)
    end = next(n for n, line in enumerate(whole) if '"""' in line and n > start)
    assert function.code == "\n".join(whole[:start] + whole[end + 1 :]).rstrip("\n")
    assert function.description == "Fill a single paragraph of text, returning a new string."


def test_tests_and_installed_packages_stay_out(library):
    modules = {part for f in library for part in f.id.split(":")[0].split(".")}
    assert not modules & {"test", "tests", "idlelib", "site-packages", "pytest", "numpy"}
    assert {"json", "asyncio", "textwrap", "_pydecimal"} <= modules
    assert len(library) > 3000


def test_descriptions_and_code_are_unique(library):
    kept = pydoc.distinct(library)
    assert max(Counter(f.description.lower() for f in kept.values()).values()) == 1
    assert max(Counter(f.code.strip() for f in kept.values()).values()) == 1
    assert len(kept) < len(library)


def test_a_python_without_sources_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(pydoc, "_root", lambda: tmp_path)
    with pytest.raises(
        UnavailableError, match="0 documented functions, 100 needed; use a Python with its sources"
    ):
        pydoc.load(seed=13, documents=2000, queries=100)


def test_the_first_paragraph_describes_and_the_rest_of_the_source_stays():
    found = _by_name('''
        import os
        class Box:
            @property
            @cache
            def width(self):
                """Width of
                the box.

                More about it.
                """
                # A comment that stays.
                text = """not a docstring"""
                return len(text)   # two spaces before

            def after(self): pass
    ''')
    assert list(found) == ["Box.width"]
    assert found["Box.width"].description == "Width of the box."
    assert found["Box.width"].code == textwrap.indent(
        textwrap.dedent('''\
            @property
            @cache
            def width(self):
                # A comment that stays.
                text = """not a docstring"""
                return len(text)   # two spaces before'''),
        "    ",
    )


def test_form_feeds_and_wide_characters_do_not_shift_the_cut():
    source = (
        'é = "ü"\n\x0c\ndef f():\n    """Größe of the thing."""\n    a = "é"\n    return a\n\x0c\nrest = 1\n'
    )
    (function,) = functions(source, "m")
    assert function.description == "Größe of the thing."
    assert function.code == 'def f():\n    a = "é"\n    return a'


BODY = "    a = 1\n    return a\n"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("no docstring", f"def f():\n{BODY}"),
        ("two words", f'def f():\n    "Two words."\n{BODY}'),
        ("two lines", 'def f():\n    "Three words here."\n    return 1\n'),
        ("nothing but the docstring", 'def f(\n    a,\n    b,\n):\n    "Three words here."\n'),
        ("special method", f'def __init__():\n    "Three words here."\n{BODY}'),
        ("test", f'def check_Test():\n    "Three words here."\n{BODY}'),
        ("docstring on a line with code", f'def f():\n    "Three words here."; b = 1\n{BODY}'),
        ("comment after the docstring", f'def f():\n    "Three words here."  # c\n{BODY}'),
        ("one line", 'def f(): "Three words here."; a = 1; return a\n'),
        ("description repeated", f'def f():\n    "Three words here."\n    # Three words here.\n{BODY}'),
        (
            "inner function",
            'def f():\n    def g():\n        "Three words here."\n        a = 1\n        return a\n',
        ),
    ],
)
def test_unsuitable_functions_are_excluded(name, source):
    assert list(functions(source, "m")) == []


def test_definitions_under_conditions_count_and_the_first_of_an_id_is_kept():
    source = "".join(
        f'{head}\n    def f():\n        "Meaning number {n} here."\n        a = {n}\n        return a\n'
        for n, head in enumerate(["if x:", "elif y:", "else:", "try:", "except E:", "finally:", "with c:"])
    )
    found = list(functions(source, "m"))
    assert [f.description.split()[2] for f in found] == [str(n) for n in range(7)]
    assert pydoc.distinct(found) == {"m:f": found[0]}
