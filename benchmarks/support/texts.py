"""Real texts that every Python has: docstrings of its standard library, 1 to several hundred words."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random

MODULES = (
    "asyncio",
    "collections",
    "concurrent",
    "email",
    "http",
    "logging",
    "unittest",
    "xml",
    "urllib",
    "json",
)


def docstrings(count: int) -> list[str]:
    """A seeded sample of the standard library's docstrings, long and short mixed."""
    found: set[str] = set()
    for package_name in MODULES:
        package = importlib.import_module(package_name)
        for info in pkgutil.walk_packages(package.__path__, f"{package_name}."):
            if info.name.endswith("__main__"):
                continue
            try:
                module = importlib.import_module(info.name)
            except ImportError:  # parts of the library for other systems
                continue
            things = [module, *vars(module).values()]
            members = [
                member for thing in things if inspect.isclass(thing) for member in vars(thing).values()
            ]
            documented = (getattr(thing, "__doc__", None) for thing in (*things, *members))
            found |= {text for text in documented if isinstance(text, str) and text}
    return random.Random(13).sample(sorted(found), count)
