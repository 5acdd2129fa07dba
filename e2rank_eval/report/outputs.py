"""Registries of tables and figures: ids, the stored files that they read, and how they are written."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from e2rank_eval.config.measurements import FIGURE_KINDS, FigureKind, RunKey
from e2rank_eval.errors import InputError
from e2rank_eval.registry import Registry, look_up
from e2rank_eval.report.collect import Results
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_bytes
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest

if TYPE_CHECKING:
    from e2rank_eval.config import Configuration
    from e2rank_eval.report.drawing import Drawing
    from e2rank_eval.report.table import Table

T = TypeVar("T", "Table", "Drawing")

Inputs = Callable[["Configuration", str], Iterable[str]]
"""Returns exactly the stored files that the output of an entry reads, as paths below the results folder."""


@dataclass(frozen=True, slots=True)
class Output(Generic[T]):
    """One kind of table or figure, made by :meth:`Outputs.register`."""

    name: str
    section: str
    pattern: str
    among: Callable[[Any], bool]
    inputs: Inputs
    build: Callable[[Results, str], T]
    caption: str

    def shown(self, configuration: Configuration) -> dict[str, str]:
        """Return id -> entry of ``section`` that is shown, for every output of this kind."""
        declared = {name: one for name, one in configuration.figures.items() if one.figure == self.name}
        if self.section == "figures":
            return {name: name for name in declared}
        entries = getattr(configuration, self.section).items()
        own = {self.pattern.format(entry): entry for entry, one in entries if self.among(one)}
        return own | {name: str(one.of) for name, one in declared.items()}


@dataclass(frozen=True, slots=True)
class Shown(Generic[T]):
    """One table or figure of a configuration: its kind, and the entry of ``kind.section`` that it shows."""

    kind: Output[T]
    entry: str

    def inputs(self, configuration: Configuration) -> list[str]:
        """Return the stored files that it shows, each once, as paths below the results folder."""
        return list(dict.fromkeys(self.kind.inputs(configuration, self.entry)))


class Outputs(Registry[Output[T]]):
    """All kinds of tables, or all kinds of figures, by name.

    ``pattern`` is the path of an output below the results folder; ``forms`` returns its bytes by file ending.
    """

    def __init__(self, kind: str, package: str, pattern: str, forms: Callable[[T], dict[str, bytes]]) -> None:
        super().__init__(kind, package)
        self._pattern = pattern
        self._forms: Callable[[T], dict[str, bytes]] = forms

    def register(
        self,
        name: str,
        section: str,
        inputs: Inputs,
        pattern: str = "{}",
        *,
        among: Callable[[Any], bool] = lambda entry: True,  # noqa: ARG005 - every entry
        declared: FigureKind | None = None,
    ) -> Callable[[Callable[[Results, str], T]], Callable[[Results, str], T]]:
        """Register the decorated ``build(results, entry)`` as a kind, for every entry of ``section``.

        The first paragraph of its docstring is the caption: a sentence or two on how to read it.

        ``pattern`` makes an id from the name of an entry; entries for which ``among`` is false get no output.
        ``declared`` gives the keys of a figure that a configuration can declare: its id is its own name
        there, and it shows the entry ``of`` unless ``section`` is ``figures``.
        """

        def decorate(build: Callable[[Results, str], T]) -> Callable[[Results, str], T]:
            documented = inspect.getdoc(getattr(build, "func", build)) or ""
            caption = " ".join(documented.partition("\n\n")[0].split())
            self.add(name, Output(name, section, pattern, among, inputs, build, caption))
            if declared is not None:
                FIGURE_KINDS.add(name, declared)
            return build

        return decorate

    def shown(self, configuration: Configuration) -> dict[str, Shown[T]]:
        """Return all tables, or all figures, of the configuration by id.

        Raises
        ------
        InputError
            When two of them have the same id.
        """
        found: dict[str, Shown[T]] = {}
        for output in self.values():
            for identifier, entry in output.shown(configuration).items():
                if identifier in found:
                    problem, hint = f"two {self.kind}s would be called {identifier!r}", "rename an entry"
                    raise InputError(problem, path=configuration.origin or None, hint=hint)
                found[identifier] = Shown(output, entry)
        return found

    def build(self, results: Results, identifier: str) -> T:
        """Build ``identifier`` from its stored files.

        Raises
        ------
        InputError
            When there is no such table or figure, or a file is missing or malformed.
        """
        configuration = results.configuration
        origin = configuration.origin or None
        shown = look_up(self.shown(configuration), identifier, self.kind, path=origin)
        return replace(shown.kind.build(results, shown.entry), id=identifier)

    def write(self, layout: Layout, configuration: Configuration, identifier: str) -> list[Path]:
        """Write ``identifier`` in every form, with a manifest for its CSV; return the paths.

        The bytes depend only on the stored results and, for figures, on matplotlib. Raises as :meth:`build`.
        """
        started = time.time()
        results = Results(layout, configuration)
        contents = self._forms(self.build(results, identifier))
        name = {self.kind: identifier}
        paths = {suffix: layout.path(self._pattern, suffix=suffix, **name) for suffix in contents}
        for suffix, path in paths.items():
            write_bytes(path, contents[suffix])
        write_manifest(
            paths["csv"],
            command=f"e2rank-eval {self.kind} {identifier} --config {layout.path(places.CONFIG)}",
            settings=name,
            inputs=results.files_read,
            started=started,
        )
        return list(paths.values())


def files_of(section: str, *patterns: str) -> Inputs:
    """Return the inputs of outputs that show the runs of an entry: these file patterns, for every run.

    The name of the entry of ``section`` fills ``{comparison}`` and ``{latency}``.
    """

    def inputs(configuration: Configuration, name: str) -> Iterable[str]:
        runs: Iterable[RunKey] = getattr(configuration, section)[name].runs
        for pattern, (dataset, first_stage, reranker) in product(patterns, runs):
            run = {"dataset": dataset, "first_stage": first_stage, "reranker": reranker}
            yield pattern.format(**run, comparison=name, latency=name)

    return inputs
