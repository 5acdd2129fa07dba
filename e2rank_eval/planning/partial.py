"""A configuration without what one machine cannot make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from e2rank_eval.config import Configuration, LatencySettings, SweepSettings
from e2rank_eval.errors import InputError
from e2rank_eval.planning.artefact_runs import ArtefactRuns, spoken, spoken_timing
from e2rank_eval.store import layout as places
from e2rank_eval.store.layout import Layout

LeftOut = Mapping[str, list[str]]
"""What a machine lacks for runs, timings, public runs and MTEB jobs, by the names of ``ArtefactRuns``."""


def read_left_out(layout: Layout) -> dict[str, list[str]]:
    """What the workflow's last run left out of these results; nothing where it has not said.

    Raises
    ------
    InputError
        When the file is not what the workflow writes.
    """
    path = layout.path(places.LEFT_OUT)
    if not path.exists():
        return {}
    try:
        return _KEPT.validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        hint = "delete it and run the workflow again"
        raise InputError("not what the workflow writes there", path=path, hint=hint) from error


def not_stored(left_out: LeftOut, runs: ArtefactRuns, layout: Layout) -> dict[str, list[str]]:
    """``left_out`` without what is stored: made elsewhere, or before what it takes went away."""
    if not left_out:
        return {}
    files = dict(_files(runs, layout))
    return {
        name: reasons
        for name, reasons in left_out.items()
        if name not in files or not all(path.exists() for path in files[name])
    }


_KEPT: TypeAdapter[dict[str, list[str]]] = TypeAdapter(dict[str, list[str]])
_OF_A_RUN = (places.CANDIDATES, places.RUN, places.STATISTICS, places.METRICS)


def _files(runs: ArtefactRuns, layout: Layout) -> Iterator[tuple[str, list[Path]]]:
    """What each run, timing, MTEB job and public run of the artefacts is stored as."""
    for name in runs.configuration.artefacts:
        for key in runs.runs(name):
            yield spoken(key), [layout.run_path(pattern, key) for pattern in _OF_A_RUN]
        for key in runs.timings(name):
            yield spoken_timing(key), [layout.run_path(places.LATENCY, key)]
        for entry, system in runs.mteb_jobs(name):
            yield spoken((entry, system)), [layout.path(places.MTEB_RECORD, entry=entry, system=system)]
        for run in runs.published_runs(name):
            yield run, [layout.path(places.PUBLISHED_RUN, run=run)]


def made_here(runs: ArtefactRuns, left_out: LeftOut) -> Configuration:
    """The configuration of ``runs`` without the timings, MTEB jobs, sweeps and figures that are left out.

    Tables of the paper stay: each says what its rows need. A sweep or a figure with a gap is none.
    """

    def possible(names: Iterable[str]) -> bool:
        return left_out.keys().isdisjoint(names)

    configuration = runs.configuration
    if not left_out:
        return configuration
    latency = {
        name: entry.model_copy(
            update={"rerankers": [one for one in entry.rerankers if possible([_timing(entry, one)])]}
        )
        for name, entry in configuration.latency.items()
    }
    mteb = {
        name: entry.model_copy(
            update={
                part: [one for one in getattr(entry, part) if possible([spoken((name, one))])]
                for part in ("models", "rerankers")
            }
        )
        for name, entry in configuration.mteb.items()
    }
    sweeps, artefacts = configuration.sweeps.items(), configuration.artefacts.items()
    return configuration.model_copy(
        update={
            "latency": {name: entry for name, entry in latency.items() if entry.rerankers},
            "mteb": {name: entry for name, entry in mteb.items() if entry.systems},
            "sweeps": {name: entry for name, entry in sweeps if possible(_points(entry))},
            "artefacts": {
                name: one for name, one in artefacts if not runs.is_figure(name) or possible(runs.names(name))
            },
        }
    )


def lacking(runs: ArtefactRuns, left_out: LeftOut) -> dict[str, list[str]]:
    """Figures, sweeps, latency entries and MTEB entries that :func:`made_here` shortens or takes out,
    each with what it lacks."""
    configuration = runs.configuration
    names = {name: runs.names(name) for name in configuration.artefacts if runs.is_figure(name)}
    names |= {f"sweep-{name}": _points(entry) for name, entry in configuration.sweeps.items()}
    for name, timed in configuration.latency.items():
        names[f"latency-{name}"] = [_timing(timed, one) for one in timed.rerankers]
    for name, suite in configuration.mteb.items():
        names[f"mteb-{name}"] = [spoken((name, system)) for system in suite.systems]
    found = {
        what: list(dict.fromkeys(reason for one in parts for reason in left_out.get(one, ())))
        for what, parts in names.items()
    }
    return {what: reasons for what, reasons in found.items() if reasons}


def possible_runs(
    rerankings: Mapping[tuple[str, str], Sequence[str]], left_out: LeftOut
) -> dict[tuple[str, str], list[str]]:
    """Data sets by (first stage, reranker), without runs that are left out."""
    found = {
        (first_stage, reranker): [
            one for one in datasets if spoken((one, first_stage, reranker)) not in left_out
        ]
        for (first_stage, reranker), datasets in rerankings.items()
    }
    return {key: datasets for key, datasets in found.items() if datasets}


def _timing(entry: LatencySettings, reranker: str) -> str:
    return spoken_timing((entry.dataset, entry.first_stage, reranker))


def _points(sweep: SweepSettings) -> list[str]:
    return [spoken((dataset, sweep.first_stage, one)) for dataset in sweep.datasets for one in sweep.systems]
