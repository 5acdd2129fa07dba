"""A configuration without what one machine cannot make."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from e2rank_eval.configuration import Configuration, LatencySettings, MtebSettings, SweepSettings
from e2rank_eval.planning.artefact_runs import ArtefactRuns, MtebJob, RunKey, spoken

Key = RunKey | MtebJob
Entry = TypeVar("Entry", LatencySettings, MtebSettings)


def made_here(runs: ArtefactRuns, left_out: Container[str]) -> Configuration:
    """The configuration of ``runs`` without timings, MTEB jobs, sweeps and figures that need a run left out.

    ``left_out`` holds names as :func:`spoken` has them. Tables of the paper stay: each says what its
    rows need. A sweep or a figure with a gap is none.
    """

    configuration = runs.configuration

    def possible(keys: Iterable[Key]) -> bool:
        return all(spoken(key) not in left_out for key in keys)

    def timed(entry: LatencySettings) -> Iterator[tuple[str, RunKey]]:
        return ((one, (entry.dataset, entry.first_stage, one)) for one in entry.rerankers)

    latency = {
        name: _with(entry, rerankers=[one for one, key in timed(entry) if possible([key])])
        for name, entry in configuration.latency.items()
    }
    mteb = {
        name: _with(
            entry,
            models=[one for one in entry.models if possible([(name, one)])],
            rerankers=[one for one in entry.rerankers if possible([(name, one)])],
        )
        for name, entry in configuration.mteb.items()
    }
    return configuration.model_copy(
        update={
            "latency": {name: entry for name, entry in latency.items() if entry.rerankers},
            "mteb": {name: entry for name, entry in mteb.items() if entry.systems},
            "sweeps": {
                name: entry for name, entry in configuration.sweeps.items() if possible(_points(entry))
            },
            "artefacts": {
                name: one
                for name, one in configuration.artefacts.items()
                if not runs.is_figure(name) or possible([*runs.runs(name), *runs.timings(name)])
            },
        }
    )


def possible_runs(
    rerankings: Mapping[tuple[str, str], Sequence[str]], left_out: Container[str]
) -> dict[tuple[str, str], list[str]]:
    """Data sets by (first stage, reranker), without runs that are left out."""
    found = {
        (first_stage, reranker): [
            one for one in datasets if spoken((one, first_stage, reranker)) not in left_out
        ]
        for (first_stage, reranker), datasets in rerankings.items()
    }
    return {key: datasets for key, datasets in found.items() if datasets}


def _with(entry: Entry, **systems: list[str]) -> Entry:
    return entry.model_copy(update=systems)


def _points(sweep: SweepSettings) -> Iterator[RunKey]:
    return ((dataset, sweep.first_stage, one) for dataset in sweep.datasets for one in sweep.systems)
