"""Reads an experiment's configuration, and keeps the part that its ``datasets`` and ``systems`` select."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from e2rank_eval.config.experiment import Configuration, choose
from e2rank_eval.config.paper import PaperFigure
from e2rank_eval.config.reading import checked
from e2rank_eval.config.yaml_files import load_mapping


def read_configuration(path: Path) -> Configuration:
    """Read and check a YAML configuration file.

    Raises
    ------
    InputError
        When the file is missing, is not a YAML mapping, repeats a key, or fails a check.
    """
    return parse_configuration(load_mapping(path), path)


def parse_configuration(values: dict[str, Any], path: Path | str) -> Configuration:
    """Check a configuration already read from ``path``, and return what its lists select.

    Raises
    ------
    InputError
        Naming the file, the line where ``path`` is one file, the key and what is wrong with it.
    """
    configuration = checked(Configuration, values, path)
    configuration._origin = str(path)
    return selected(configuration)


def one_system(sections: Mapping[str, Any]) -> Configuration:
    """Return a configuration of the systems in ``sections`` alone, checked as one that was read."""
    needed = {
        "profile": "python",
        "datasets": {"dataset": {}},
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {"first-stage": {"family": "identity"}},
    }
    return parse_configuration(needed | dict(sections), "the call")


def with_chosen(values: dict[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """Return ``values``, where a list for ``datasets`` or ``systems`` selects from what ``paths`` define.

    ``values`` are the files' own, merged, and changed on Snakemake's command line; see :func:`choose`.
    """
    defined: dict[str, dict[str, Any]] = {
        section: {} for section in ("datasets", "systems") if not isinstance(values.get(section, {}), dict)
    }
    for file in map(load_mapping, paths if defined else ()):
        for section, entries in defined.items():
            given = file.get(section)
            entries |= given if isinstance(given, dict) else {}
    return choose(values, defined)


def selected(configuration: Configuration) -> Configuration:
    """Return ``configuration`` without what is not run.

    Comparisons, latency and mteb entries, sweeps and figures keep the data sets and systems that run, and
    are dropped where too few are left to show anything. Tables of the paper stay whole: rows and columns
    that are not run show their published values.
    """
    return _Selection(configuration).configuration()


class _Selection:
    def __init__(self, whole: Configuration) -> None:
        self._whole = whole
        names = [name for name in whole.rerankers if whole.selects("*", name)]
        self._models = {getattr(whole.rerankers[name], "model", None) for name in names}

    def configuration(self) -> Configuration:
        sections: dict[str, dict[str, Any]] = {
            section: dict(entries)
            for section, entries in (
                ("comparisons", self._comparisons()), ("latency", self._latency()),
                ("sweeps", self._sweeps()), ("mteb", self._mteb()),
            )
        }  # fmt: skip
        sections["figures"] = {
            name: kept for name, one in self._whole.figures.items() if (kept := self._figure(one, sections))
        }
        return self._whole.model_copy(update=sections)

    def _datasets(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self._whole.datasets[name].run]

    def _rows(self, first_stage: str, rerankers: Sequence[str]) -> list[str]:
        return [name for name in rerankers if self._whole.selects(first_stage, name)]

    def _comparisons(self) -> Iterator[tuple[str, Any]]:
        for name, one in self._whole.comparisons.items():
            kept = {
                "datasets": self._datasets(one.datasets),
                "rerankers": self._rows(one.first_stage, one.rerankers),
                "baselines": self._rows(one.first_stage, one.baselines),
            }
            if all(kept.values()):
                yield name, one.model_copy(update=kept)

    def _latency(self) -> Iterator[tuple[str, Any]]:
        for name, one in self._whole.latency.items():
            rerankers = self._rows(one.first_stage, one.rerankers)
            if rerankers and self._datasets([one.dataset]):
                yield name, one.model_copy(update={"rerankers": rerankers})

    def _sweeps(self) -> Iterator[tuple[str, Any]]:
        for name, one in self._whole.sweeps.items():
            points = {n: r for n, r in one.points.items() if self._whole.selects(one.first_stage, r)}
            if len(points) > 1 and (datasets := self._datasets(one.datasets)):
                yield name, one.model_copy(update={"datasets": datasets, "points": points})

    def _mteb(self) -> Iterator[tuple[str, Any]]:
        """Entries with the models that a selected system uses."""
        for name, one in self._whole.mteb.items():
            kept = {
                "models": [m for m in one.models if m in self._models or not self._whole.systems],
                "rerankers": self._rows("*", one.rerankers),
            }
            if any(kept.values()):
                yield name, one.model_copy(update=kept)

    def _figure(self, figure: PaperFigure, sections: dict[str, dict[str, Any]]) -> PaperFigure | None:
        if figure.section:
            return figure if figure.of in sections.get(figure.section, self._whole.tables) else None
        stage = str(figure.first_stage)
        kept = {
            "datasets": self._datasets(figure.datasets),
            "rerankers": self._rows(stage, figure.rerankers),
        }
        comparable = figure.against is None or self._whole.selects(stage, figure.against)
        return figure.model_copy(update=kept) if comparable and all(kept.values()) else None
