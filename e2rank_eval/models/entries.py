"""Registry entries by model reference, without the model's files; model records in the results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration
from e2rank_eval.config.reading import checked, checked_entries, read_entries
from e2rank_eval.config.references import ModelReference, file_name, parse_reference
from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.datasets.sources.kinds import FolderSource, HubSource
from e2rank_eval.errors import InputError
from e2rank_eval.models.registry import (
    GivenEntry,
    ModelEntry,
    Prices,
    ResolvedModel,
    complete,
    registered_models,
)
from e2rank_eval.registry import look_up
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.layout import MODEL, Layout


class Entries:
    """Model entries of the registry files and of one experiment, found by any reference to the model.

    ``own`` are the experiment's entries, in the form of ``config/models.yaml``, from the file ``origin``.

    Raises
    ------
    InputError
        Naming file and line, when an entry has a wrong key.
    """

    def __init__(self, own: Mapping[str, Any] | None = None, origin: str = "") -> None:
        entries = registered_models() | checked_entries(GivenEntry, own or {}, origin, ["models"])
        self._registered = entries
        self._by_reference = {file_name(name): name for name in entries}

    @property
    def names(self) -> list[str]:
        """The names and references in the registry, in its order."""
        return list(self._registered)

    def canonical(self, reference: str) -> str:
        """Return the registry name of the model that ``reference`` names, else ``reference`` itself.

        Raises
        ------
        InputError
            When it is malformed, a name that is not in the registry (the message suggests the nearest), or a
            folder that does not exist.
        """
        try:
            parsed = parse_reference(reference)
        except ValueError as error:
            raise InputError(str(error), hint="see e2rank-eval list models --all") from error
        if (name := self._by_reference.get(file_name(reference))) is not None:
            return name
        if parsed.kind == "registry":
            look_up(self._registered, reference, "model", "e2rank-eval list models --all")
        if parsed.kind == "folder" and not parsed.folder.is_dir():
            raise InputError("no such folder", path=reference, hint="name the folder of a model")
        same = (n for n, hub in self._repositories(parsed) if parsed.commit in (None, hub.revision))
        return next(same, reference)

    def _repositories(self, parsed: ModelReference) -> list[tuple[str, HubSource]]:
        """Return the registry entries with a source in the hub repository of this reference."""
        sources = ((name, source) for name, entry in self._registered.items() for source in entry.sources)
        return [
            (n, one) for n, one in sources if isinstance(one, HubSource) and one.repository == parsed.name
        ]

    def name(self, reference: str) -> str:
        """Return the model's name in file names."""
        return file_name(self.canonical(reference))

    def given(self, reference: str) -> GivenEntry:
        """Return the model's entry in the registry files; an empty one where there is none.

        A commit in the reference replaces that of the entry, whose file hashes are then dropped.
        """
        name = self.canonical(reference)
        parsed = parse_reference(name)
        if parsed.kind == "folder" and (parsed.folder / "entry.yaml").is_file():
            return _trained(parsed.folder)
        if name not in self._registered and (known := self._repositories(parsed)):
            source = known[0][1].model_copy(update={"revision": parsed.commit})
            return self._registered[known[0][0]].model_copy(update={"sources": [source], "files": {}})
        return self._registered.get(name, GivenEntry())

    def prices(self, reference: str | None) -> Prices | None:
        """Return the prices of a served model; None without a server, or where its entry states none."""
        server = self.given(reference).server if reference else None
        return server.prices if server else None

    def recorded(self, layout: Layout, reference: str) -> ModelEntry | None:
        """Return a model's entry from the registry, else from its record in the results, else None."""
        if (entry := complete(self.given(reference))) is not None:
            return entry
        path = layout.path(MODEL, model=self.name(reference))
        return ModelEntry.model_validate(read_json(path)["entry"]) if path.is_file() else None


def as_trained(configuration: Configuration) -> Configuration:
    """Return the configuration in which rerankers have the options that their models were trained with.

    What a reranker states takes precedence. Both ways of giving an option result in equal settings.

    Raises
    ------
    InputError
        When the options of an entry are wrong, or do not fit those of the reranker.
    """
    entries = Entries(configuration.models, configuration.origin)
    found = {name: _inherited(one, name, entries) for name, one in configuration.rerankers.items()}
    return configuration.model_copy(update={"rerankers": found})


def _inherited(settings: RerankerSettings, name: str, entries: Entries) -> RerankerSettings:
    model = getattr(settings, "model", None)
    try:
        options = entries.given(model).reranker if model else {}
    except InputError:
        return settings  # the job that loads the model names the error
    if not options:
        return settings
    return checked(
        type(settings), settings.as_trained(options), f"reranker {name} with the options of {model}"
    )


def _trained(folder: Path) -> GivenEntry:
    """Return the entry that training wrote to ``folder``; its source is the weights in this folder."""
    path = folder / "entry.yaml"
    entries = list(read_entries(GivenEntry, [path]).values())
    sources = [one for entry in entries for one in entry.sources]
    if len(entries) != 1 or len(sources) != 1 or not isinstance(sources[0], FolderSource):
        raise InputError(
            "not the entry of one model with one source of kind folder", path=path,
            hint="write it as training does, or remove it",
        )  # fmt: skip
    (entry,), (source,) = entries, sources
    weights = folder / "weights" if (folder / "weights").is_dir() else folder
    return entry.model_copy(update={"sources": [source.model_copy(update={"folder": str(weights)})]})


def write_model_record(layout: Layout, model: ResolvedModel) -> None:
    """Write ``models/<name>.json``: the model's source, file hashes, recognised kinds and entry.

    The record holds no time and no path other than the reference, so that it is reproducible.
    """
    write_json(
        layout.path(MODEL, model=file_name(model.reference)),
        {
            "name": model.reference,
            "source": model.source,
            "revision": model.revision,
            "files": dict(model.files),
            "kinds": list(model.kinds),
            "entry": model.entry.model_dump(mode="json", exclude_defaults=True),
            "evidence": dict(model.evidence),
        },
    )
