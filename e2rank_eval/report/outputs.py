"""What a table or a figure is to the rest of the suite: its ids, the stored files it shows, its builder."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from e2rank_eval.errors import InputError
from e2rank_eval.registry import Registry
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


@dataclass(frozen=True, slots=True)
class Output(Generic[T]):
    """One kind of table or figure, which its module registers in ``TABLES`` or ``FIGURES``.

    ``section`` is the one of the configuration whose entries it shows; ``ids(configuration)`` maps the id
    of each output of this kind to the name of its entry there. ``inputs(configuration, entry)`` are the
    stored files that it reads, all of them and no others, as paths below the results folder.
    ``build(results, entry)`` makes it from those files. ``caption`` says in a sentence or two how to read it.
    """

    section: str
    ids: Callable[[Configuration], Mapping[str, str]]
    inputs: Callable[[Configuration, str], Iterable[str]]
    build: Callable[[Results, str], T]
    caption: str


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

    ``pattern`` is the path of one below the results folder, and ``forms`` gives its bytes by file ending.
    """

    def __init__(self, kind: str, package: str, pattern: str, forms: Callable[[T], dict[str, bytes]]) -> None:
        super().__init__(kind, package)
        self._pattern = pattern
        self._forms: Callable[[T], dict[str, bytes]] = forms

    def register(
        self,
        name: str,
        section: str,
        pattern: str,
        inputs: Callable[[Configuration, str], Iterable[str]],
        *,
        among: Callable[[Any], bool] = lambda entry: True,  # noqa: ARG005 - every entry
    ) -> Callable[[Callable[[Results, str], T]], Callable[[Results, str], T]]:
        """Register the decorated builder as the kind ``name``, for every entry of ``section``.

        The first paragraph of its docstring is the caption.

        ``pattern`` makes the id of the entry's name; entries that ``among`` refuses have none. A figure that
        the configuration declares as of this kind has its own name as its id, and shows the entry ``of``
        where ``section`` is not that of the figures themselves.
        """

        def ids(configuration: Configuration) -> dict[str, str]:
            named = {n: one for n, one in configuration.figures.items() if one.figure == name}
            if section == "figures":
                return {identifier: identifier for identifier in named}
            entries = getattr(configuration, section).items()
            own = {pattern.format(entry): entry for entry, one in entries if among(one)}
            return own | {identifier: str(one.of) for identifier, one in named.items()}

        def decorate(build: Callable[[Results, str], T]) -> Callable[[Results, str], T]:
            documented = inspect.getdoc(getattr(build, "func", build)) or ""
            caption = " ".join(documented.partition("\n\n")[0].split())
            self.add(name, Output(section, ids, inputs, build, caption))
            return build

        return decorate

    def shown(self, configuration: Configuration) -> dict[str, Shown[T]]:
        """Return everything that the configuration asks for, by id.

        Raises
        ------
        InputError
            When names of the configuration give two of them the same id.
        """
        found: dict[str, Shown[T]] = {}
        for output in self.values():
            for identifier, entry in output.ids(configuration).items():
                if identifier in found:
                    hint = "rename an entry of the configuration"
                    raise InputError(f"two {self.kind}s would be called {identifier!r}", hint=hint)
                found[identifier] = Shown(output, entry)
        return found

    def build(self, results: Results, identifier: str) -> T:
        """Build ``identifier`` from its stored files.

        Raises
        ------
        InputError
            When there is no such table or figure, or a file is missing or malformed.
        """
        known = self.shown(results.configuration)
        if identifier not in known:
            raise InputError(f"no {self.kind} named {identifier!r}", hint=f"known: {', '.join(known)}")
        shown = known[identifier]
        return replace(shown.kind.build(results, shown.entry), id=identifier)

    def write(self, layout: Layout, configuration: Configuration, identifier: str) -> list[Path]:
        """Write ``identifier`` in every form, with a manifest for its CSV; return the paths.

        The bytes depend on the stored results alone, and those of a figure on matplotlib. Raises as
        :meth:`build`.
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


def run_files(
    pattern: str, datasets: Iterable[str], first_stage: str, rerankers: Iterable[str]
) -> Iterable[str]:
    """Yield the path of ``pattern`` for every run of ``rerankers`` on ``datasets``."""
    systems = list(rerankers)
    for dataset in datasets:
        for reranker in systems:
            yield pattern.format(dataset=dataset, first_stage=first_stage, reranker=reranker)


def first_stage_files(datasets: Iterable[str], first_stage: str) -> Iterable[str]:
    """Yield the candidates and judgements of ``datasets``, which give the first stage's own quality."""
    for dataset in datasets:
        yield places.CANDIDATES.format(dataset=dataset, first_stage=first_stage)
        yield places.QRELS.format(dataset=dataset)
