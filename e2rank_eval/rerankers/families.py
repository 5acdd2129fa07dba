"""Reranker families by name, each loaded only when a configuration asks for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from e2rank_eval.config import CustomSettings, RerankerSettings
from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.base import RerankContext, Reranker

ENTRY_POINTS = "e2rank_eval.rerankers"
"""Entry-point group in which an installed package offers families of its own."""


@dataclass(frozen=True, slots=True)
class Family:
    """``place`` is ``module:Class`` with a ``from_settings(settings, context)``."""

    place: str
    description: str


FAMILIES = {
    "identity": Family("e2rank_eval.rerankers.identity:IdentityReranker", "the first stage's order as it is"),
    "e2rank": Family(
        "e2rank_eval.rerankers.e2rank:E2RankReranker",
        "one listwise prompt embedded as the query, cosine to every candidate",
    ),
    "feedback": Family(
        "e2rank_eval.rerankers.feedback:FeedbackReranker",
        "Rocchio: the query vector moved towards its first candidates; or their average alone",
    ),
    "listwise": Family(
        "e2rank_eval.rerankers.listwise:ListwiseReranker",
        "a language model says the order of windows (RankGPT's sliding one by default)",
    ),
    "pairwise-llm": Family(
        "e2rank_eval.rerankers.pairwise:PairwiseReranker",
        "a language model says which of two neighbours is better, in passes from the bottom up",
    ),
    "pointwise-llm": Family(
        "e2rank_eval.rerankers.pointwise:PointwiseReranker",
        "a language model's logit of yes minus no for each candidate, or the query's likelihood",
    ),
    "monot5": Family(
        "e2rank_eval.rerankers.monot5:MonoT5Reranker",
        "a T5 trained to say true or false of the query and one candidate",
    ),
    "cross-encoder": Family(
        "e2rank_eval.rerankers.cross_encoder:CrossEncoderReranker",
        "a trained scorer reads the query and one candidate together",
    ),
}


def families() -> dict[str, str]:
    """One line on each family by name: the suite's, ``custom``, and those that installed packages offer."""
    described = {name: family.description for name, family in FAMILIES.items()}
    described["custom"] = "your own: factory is package.module:callable or the name of an entry point"
    offered = {f"custom: {point.name}": f"entry point {point.value}" for point in _entry_points()}
    return described | offered


def build_reranker(settings: RerankerSettings, context: RerankContext) -> Reranker:
    """The reranker that ``settings`` describe, its models loaded through ``context``.

    Raises
    ------
    InputError
        When a custom factory cannot be found or imported, or returns no reranker.
    """
    if isinstance(settings, CustomSettings):
        return _custom(settings, context)
    family = _attribute(FAMILIES[settings.family].place)
    reranker: Reranker = family.from_settings(settings, context)
    return reranker


def _custom(settings: CustomSettings, context: RerankContext) -> Reranker:
    reranker = _factory(settings.factory)(dict(settings.options), context)
    missing = [
        name for name in ("fingerprint", "rank", "rank_many", "prepare") if not hasattr(reranker, name)
    ]
    if missing:
        raise InputError(
            f"factory {settings.factory!r} returned a {type(reranker).__name__} without {', '.join(missing)}",
            hint="return an object with the members of e2rank_eval.rerankers.base.Reranker",
        )
    built: Reranker = reranker
    return built


def _factory(name: str) -> Callable[[dict[str, Any], RerankContext], Any]:
    place = name
    if ":" not in name:
        offered = {point.name: point.value for point in _entry_points()}
        if name not in offered:
            raise InputError(
                f"no entry point {name!r} in group {ENTRY_POINTS}",
                hint=f"installed: {', '.join(offered) or 'none'}; or write package.module:callable",
            )
        place = offered[name]
    try:
        factory = _attribute(place)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"factory {name!r} cannot be imported ({error})",
            hint="fix its spelling, install its package, or put its folder on PYTHONPATH",
        ) from error
    if not callable(factory):
        raise InputError(f"factory {name!r} is no callable", hint="name a function or class")
    found: Callable[[dict[str, Any], RerankContext], Any] = factory
    return found


def _attribute(place: str) -> Any:
    module, _, path = place.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _entry_points() -> metadata.EntryPoints:
    return metadata.entry_points(group=ENTRY_POINTS)
