"""Parsing and checking of the names of effectiveness measures, as ir_measures writes them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import ir_measures

from e2rank_eval.errors import InputError

_FORM = "write it as ir_measures does, for example nDCG@10, RR@10, R(rel=2)@100, AP, Judged@10"


def parse_measures(names: Iterable[str]) -> dict[str, Any]:
    """Return ir_measures' measures by canonical name, such as ``R(rel=2)@100``, in the order of ``names``.

    Raises
    ------
    InputError
        For a name that ir_measures does not know, a cut-off or relevance level that is not a positive
        integer, a count (which has no mean), or a measure that no installed package computes.
    """
    measures = {str(measure): measure for measure in map(_parse, names)}
    if not measures:
        raise InputError("no measure is given", hint="name one, for example nDCG@10")
    return measures


def _parse(name: str) -> Any:
    try:
        parsed: Any = ir_measures.parse_measure(name)
        parsed.validate_params()
    except NameError as error:
        raise InputError(f"unknown measure {name!r}", hint=_suggestion(name)) from error
    except (ValueError, AssertionError) as error:
        raise InputError(f"measure {name!r} lacks a parameter or has a wrong one", hint=_FORM) from error
    for parameter, what in (("cutoff", "cut-off"), ("rel", "relevance level")):
        value = parsed.params.get(parameter, 1)
        # trec_eval ends the whole process on a cut-off below 1, so it must never see one.
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError(f"measure {name!r}: {what} {value!r} is not a positive integer", hint=_FORM)
    if not isinstance(parsed.aggregator(), ir_measures.MeanAgg):
        raise InputError(f"measure {name!r} is a count and has no mean over queries", hint="choose another")
    pipeline: Any = ir_measures.DefaultPipeline
    if not pipeline.supports(parsed):
        raise InputError(f"no installed package computes measure {name!r}", hint="choose another")
    return parsed


def _suggestion(name: str) -> str:
    family = name.partition("@")[0].partition("(")[0].partition("_")[0].lower()
    known = {alias.lower(): measure.NAME for alias, measure in ir_measures.measures.registry.items()}
    close = get_close_matches(family, known, n=1)
    return f"did you mean {known[close[0]]}? {_FORM}" if close else _FORM
