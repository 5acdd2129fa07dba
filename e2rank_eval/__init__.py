"""Reproducible evaluation of E2Rank (arXiv 2510.22733) and its baselines; see :mod:`e2rank_eval.api`."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return a name of :mod:`e2rank_eval.api`, which is imported at the first use of one of its names."""
    from importlib import import_module

    api = import_module("e2rank_eval.api")
    if name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from importlib import import_module

    return ["__version__", *import_module("e2rank_eval.api").__all__]
