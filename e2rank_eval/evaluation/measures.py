"""Effectiveness measures: ir_measures' names, checked, and which value of trec_eval stands for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import ir_measures

from e2rank_eval.errors import InputError

_FORM = "write it as ir_measures does, for example nDCG@10, RR@10, R(rel=2)@100, AP, Judged@10"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure under its canonical name, such as ``R(rel=2)@100``.

    ``trec_eval`` is the name of trec_eval's value (``recall_100``), None where trec_eval has none;
    ``level`` the lowest grade that counts as relevant (binary measures only); ``cutoff`` the rank
    at which the ranking ends, None for all of it.
    """

    name: str
    parsed: Any
    trec_eval: str | None
    level: int
    cutoff: int | None


def parse_measures(names: Iterable[str]) -> tuple[Measure, ...]:
    """The measures of ``names`` in that order, each once.

    Raises
    ------
    InputError
        For a name that ir_measures does not know, a cut-off or relevance level that is no positive
        whole number, a count (which has no mean), or a measure that no installed package computes.
    """
    measures = {measure.name: measure for measure in map(parse_measure, names)}
    if not measures:
        raise InputError("no measure is given", hint="name one, for example nDCG@10")
    return tuple(measures.values())


def parse_measure(name: str) -> Measure:
    """Check one measure name; raises :class:`InputError` as :func:`parse_measures` does.

    >>> parse_measure("R(rel=2)@100").trec_eval
    'recall_100'
    """
    try:
        parsed: Any = ir_measures.parse_measure(name)
        parsed.validate_params()
    except NameError as error:
        raise InputError(f"unknown measure {name!r}", hint=_suggestion(name)) from error
    except (ValueError, AssertionError) as error:
        raise InputError(f"measure {name!r} lacks a parameter or has a wrong one", hint=_FORM) from error
    cutoff = _positive(parsed.params.get("cutoff"), "cut-off", name)
    level = _positive(parsed.params.get("rel"), "relevance level", name) or 1
    if not isinstance(parsed.aggregator(), ir_measures.MeanAgg):
        raise InputError(f"measure {name!r} is a count and has no mean over queries", hint="choose another")
    measure = Measure(str(parsed), parsed, _trec_eval_name(parsed, cutoff), level, cutoff)
    if measure.trec_eval is None and not _computable(parsed):
        raise InputError(f"no installed package computes measure {name!r}", hint="choose another")
    return measure


def _computable(parsed: Any) -> bool:
    pipeline: Any = ir_measures.DefaultPipeline
    return bool(pipeline.supports(parsed))


def _positive(value: object, what: str, name: str) -> int | None:
    """trec_eval ends the whole process on a cut-off below 1, so it must never see one."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"measure {name!r}: {what} {value!r} is no positive whole number")
    return value


def _trec_eval_name(parsed: Any, cutoff: int | None) -> str | None:
    family, others = parsed.NAME, set(parsed.params) - {"cutoff"}
    if family == "nDCG" and not others:
        return "ndcg" if cutoff is None else f"ndcg_cut_{cutoff}"
    if others - {"rel"}:
        return None
    if family == "AP":
        return "map" if cutoff is None else f"map_cut_{cutoff}"
    if family == "RR":
        return "recip_rank"
    return {"R": f"recall_{cutoff}", "P": f"P_{cutoff}"}.get(str(family))


def _suggestion(name: str) -> str:
    family = name.partition("@")[0].partition("(")[0].partition("_")[0].lower()
    known = {alias.lower(): measure.NAME for alias, measure in ir_measures.measures.registry.items()}
    close = get_close_matches(family, known, n=1)
    return f"did you mean {known[close[0]]}? {_FORM}" if close else _FORM
