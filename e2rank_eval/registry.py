"""A registry of objects by name, each registered by the module that defines it, and hints for wrong names."""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from e2rank_eval.errors import InputError

T = TypeVar("T")


def nearest(name: str, names: Collection[str], command: str = "") -> str:
    """Return a hint for an unknown ``name``: the nearest names, ``command`` if given, or else all names."""
    near = get_close_matches(name, names, n=3)
    meant = f"did you mean {' or '.join(near)}?" if near else ""
    listed = f"see {command}" if command else "" if near else f"known: {', '.join(names) or 'none'}"
    return f"{meant} {listed}".strip()


def look_up(
    things: Mapping[str, T], name: str, kind: str, command: str = "", *, path: str | None = None
) -> T:
    """Return the entry of a name; ``kind``, ``command`` (which lists names) and ``path`` are for the error.

    Raises
    ------
    InputError
        For an unknown name, with the hint of :func:`nearest`.
    """
    if name not in things:
        raise InputError(f"unknown {kind} {name!r}", path=path, hint=nearest(name, things, command))
    return things[name]


class Registry(Mapping[str, T], Generic[T]):
    """Entries by name, registered by the modules of ``package`` and the entry points of ``group``.

    A registering module calls ``REGISTRY.add(name, thing)``. The modules are imported at the first look-up,
    in alphabetical order, so that a new entry takes only a new file. They must be cheap to import: heavy
    imports belong inside functions.
    """

    def __init__(self, kind: str, package: str, group: str | None = None) -> None:
        self.kind = kind
        self._package, self._group = package, group
        self._things: dict[str, T] = {}
        self._imported = False

    def add(self, name: str, thing: T) -> None:
        """Register ``thing``.

        Raises
        ------
        InputError
            When the name is taken by another thing.
        """
        if self._things.setdefault(name, thing) is not thing:
            raise InputError(f"two {self.kind}s are named {name!r}", hint="rename one of them")

    def _all(self) -> dict[str, T]:
        if not self._imported:
            for module in pkgutil.iter_modules(import_module(self._package).__path__):
                import_module(f"{self._package}.{module.name}")
            for found in entry_points(group=self._group) if self._group else ():
                found.load()
            self._imported = True  # only now: another thread, or a call after a failed import, imports too
        return self._things

    def __getitem__(self, name: str) -> T:
        """Return the entry of that name; raises InputError as :func:`look_up` does."""
        return look_up(self._all(), name, self.kind)

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
