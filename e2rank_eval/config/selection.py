"""Reads an experiment's configuration, and keeps the part that its ``datasets`` and ``systems`` select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2rank_eval.config.experiment import Configuration, choose
from e2rank_eval.config.reading import checked, load_mapping
from e2rank_eval.config.systems import Strict


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


def selected(whole: Configuration) -> Configuration:
    """Return the configuration without what is not run.

    Comparisons, latency and mteb entries and figures keep the data sets and systems that run, and are
    dropped where too few are left to show anything. Tables of the paper stay whole: rows and columns that
    are not run show their published values.
    """
    used = {getattr(whole.rerankers[n], "model", None) for n in whole.rerankers if whole.selects("*", n)}

    def datasets(names: Sequence[str]) -> list[str]:
        return [name for name in names if whole.runs_on(name)]

    def rows(first_stage: str | None, names: Sequence[str]) -> list[str]:
        return [name for name in names if whole.selects(str(first_stage), name)]

    kept: dict[str, dict[str, Any]] = {"comparisons": {}, "latency": {}, "mteb": {}, "figures": {}}

    def keep(section: str, name: str, **parts: Any) -> None:
        """Keep an entry with these parts, unless one that it had is empty now."""
        entry: Strict = getattr(whole, section)[name]
        if all(part or not getattr(entry, key) for key, part in parts.items()):
            kept[section][name] = entry.model_copy(update=parts)

    for name, one in whole.comparisons.items():
        rerankers, baselines = (rows(one.first_stage, names) for names in (one.rerankers, one.baselines))
        keep("comparisons", name, datasets=datasets(one.datasets), rerankers=rerankers, baselines=baselines)
    for name, timed in whole.latency.items():
        if whole.runs_on(timed.dataset):
            keep("latency", name, rerankers=rows(timed.first_stage, timed.rerankers))
    for name, suite in whole.mteb.items():
        models = [model for model in suite.models if model in used or not whole.systems]
        if models or rows("*", suite.rerankers):
            kept["mteb"][name] = suite.model_copy(
                update={"models": models, "rerankers": rows("*", suite.rerankers)}
            )
    for name, figure in whole.figures.items():
        if figure.section:
            if figure.of in kept.get(figure.section, whole.tables):
                keep("figures", name)
            continue
        stage = figure.first_stage
        points = {n: one for n, one in figure.points.items() if rows(stage, [one])}
        keep(
            "figures", name, datasets=datasets(figure.datasets), rerankers=rows(stage, figure.rerankers),
            against=next(iter(rows(stage, [figure.against] if figure.against else [])), None),
            points=points if len(points) > 1 else {},
        )  # fmt: skip
    return whole.model_copy(update=kept)
