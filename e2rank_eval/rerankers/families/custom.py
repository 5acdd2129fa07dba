"""Custom rerankers: any callable on PYTHONPATH that returns an object with the members of a reranker."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any, Literal

from pydantic import Field

from e2rank_eval.config.systems import FAMILIES, Lengths, RerankerSettings, Tokens
from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.base import RerankContext, Reranker

_MEMBERS = ("fingerprint", "rank_candidates", "encode_documents")


class CustomSettings(RerankerSettings):
    """Your own reranker: ``factory`` is package.module:callable, called with ``options`` and a context."""

    family: Literal["custom"]
    factory: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    options: dict[str, Any] = Field(default_factory=dict)

    def build(self, context: RerankContext) -> Reranker:
        """Call the factory.

        Raises
        ------
        InputError
            When the factory cannot be imported, or returns an object without the members of a reranker.
        """
        try:
            factory: Any = resolve_name(self.factory)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"factory {self.factory!r} cannot be imported ({error})",
                hint="fix its spelling, install its package, or put its folder on PYTHONPATH",
            ) from error
        if not callable(factory):
            raise InputError(f"factory {self.factory!r} is not callable", hint="name a function or class")
        built: Reranker = factory(dict(self.options), context)
        if missing := [member for member in _MEMBERS if not hasattr(built, member)]:
            raise InputError(
                f"factory {self.factory!r} returned a {type(built).__name__} without {', '.join(missing)}",
                hint="return an object with the members of e2rank_eval.rerankers.base.Reranker",
            )
        return built

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:  # noqa: ARG002 - unknown for custom code
        return Tokens(0.0)


FAMILIES.add("custom", CustomSettings)
