"""The catalogue of models: resolves a reference to local files, an entry, and evidence for each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2rank_eval.config.reading import checked
from e2rank_eval.config.references import ModelReference, file_name, parse_reference
from e2rank_eval.datasets.sources.fetch import Fetched, fetch
from e2rank_eval.datasets.sources.kinds import FolderSource, HubSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.composition import compose
from e2rank_eval.models.entries import Entries
from e2rank_eval.models.mteb_metadata import PublishedModel, published_models
from e2rank_eval.models.recognition import (
    CONTENT,
    OR_NATIVE,
    Recognised,
    content_files,
    lacking,
    recognise,
    refuse_code,
)
from e2rank_eval.models.registry import GivenEntry, ModelEntry, ResolvedModel, complete, missing
from e2rank_eval.store.files import file_hashes

if TYPE_CHECKING:
    from e2rank_eval.config import Configuration

_UNSTATED = "see the model card"

_BY_TYPE = {
    "dense": {"encoder", "decoder"},
    "sparse": {"sparse-encoder"},
    "cross-encoder": {"cross-encoder", "decoder", "monot5"},
    "late-interaction": {"late-interaction"},
}
"""Possible kinds by type in mteb's metadata."""


_RELEVANCE_PROMPTS = {"Qwen3RerankerWrapper": "qwen3-reranker"}
"""The yes-or-no prompt that models were trained with, by the mteb class that runs them."""


class Catalogue(Entries):
    """Resolves references to any model; files are fetched into ``cache/models/``.

    ``own`` and ``origin`` are as in :class:`Entries`.
    """

    def __init__(self, cache: Path, own: Mapping[str, Any] | None = None, origin: str = "") -> None:
        super().__init__(own, origin)
        self._cache = cache
        self._resolved: dict[str, ResolvedModel] = {}
        self._resolving: list[str] = []

    @classmethod
    def of(cls, configuration: Configuration) -> Catalogue:
        """Return the catalogue of a configuration."""
        return cls(configuration.cache, configuration.models, configuration.origin)

    def known(self, reference: str) -> ModelEntry | None:
        """Return the entry if it is known without fetching the model, else None."""
        if (entry := complete(self.given(reference))) is not None:
            return entry
        return self.examine(reference).entry if self.is_here(reference) else None

    def is_here(self, reference: str) -> bool:
        """Whether the model's folder exists locally; its content is not checked."""
        name = self.canonical(reference)
        places = [self._cache / "models" / file_name(name), *map(Path, self.files_here(name)[:1])]
        return any(place.exists() for place in places)

    def sources(self, reference: str) -> list[Any]:
        """Return the model's sources, the preferred first; none for a served model."""
        given = self.given(reference)
        return [] if given.server else self._sources(parse_reference(self.canonical(reference)), given, None)

    def files_here(self, reference: str) -> list[str]:
        """Return the files of a model whose source is a local folder; none for other sources."""
        folders = [Path(one.folder) for one in self.sources(reference) if isinstance(one, FolderSource)]
        return [str(path) for folder in folders for path in content_files(folder)]

    def entry(self, reference: str) -> ModelEntry:
        """Return the model's entry; the model is fetched if its entry must be derived from its files."""
        given = self.given(reference)
        return complete(given) or self.examine(reference).entry

    def resolve(self, reference: str, *kinds: str) -> ResolvedModel:
        """Return the model restricted to ``kinds``; all kinds are accepted if none is given.

        Raises
        ------
        InputError
            When the model is recognised as none of ``kinds``; without ``kinds``, when several are possible.
        """
        found = self.examine(reference, *kinds)
        fitting = [kind for kind in found.kinds if kind in kinds or not kinds]
        if not fitting:
            lacks = "" if found.entry.server else lacking(found.path, kinds)
            raise InputError(
                f"{found.entry.title} is recognised as {' or '.join(found.kinds)} "
                f"({found.evidence['kind']}), not as {' or '.join(kinds)}{lacks}",
                hint="name another model, or another family for this one",
            )
        if len(fitting) > 1 and not kinds:
            raise InputError(
                f"{found.entry.title} may be {' or '.join(fitting)}",
                hint="choose one: name a family, or set kind in its registry entry",
            )
        entry = found.entry.model_copy(update={"kind": fitting[0]})
        return replace(found, entry=entry, kinds=tuple(fitting))

    def examine(self, reference: str, *asked: str) -> ResolvedModel:
        """Fetch the model if necessary, and recognise it; ``asked`` are the kinds that the caller needs.

        Raises
        ------
        InputError
            When there is no such model, or the checkpoint is refused; see :func:`recognise`.
        UnavailableError
            When no source could be used; the message names each with its reason.
        """
        name = self.canonical(reference)
        if name in self._resolving:
            raise InputError(
                "the model is its own base", path=name, hint="name the model it was trained from"
            )
        if name not in self._resolved:
            self._resolving.append(name)
            try:
                self._resolved[name] = self._examined(name, asked)
            finally:
                self._resolving.pop()
        return self._resolved[name]

    def _examined(self, name: str, asked: tuple[str, ...]) -> ResolvedModel:
        parsed, given = parse_reference(name), self.given(name)
        fetched, found = self._recognised(parsed, given, asked)
        found.add("registry entry", **given.model_dump(exclude_unset=True))
        title = parsed.folder.resolve().name if parsed.kind == "folder" else parsed.name
        fields = {"title": title, "licence": _UNSTATED} | found.fields
        if lacks := missing(fields):
            raise InputError(f"model {name!r} has no {lacks[0]}", hint="add it to its registry entry")
        entry = checked(ModelEntry, fields, name)
        kinds = found.kinds if given.kind is None else (entry.kind,)
        return ResolvedModel(
            name, entry, fetched.path, fetched.files, fetched.source, fetched.revision, kinds, found.evidence
        )

    def _recognised(
        self, parsed: ModelReference, given: GivenEntry, asked: tuple[str, ...]
    ) -> tuple[Fetched, Recognised]:
        """Return the model's files, and the fields derived from them and mteb if its entry is incomplete."""
        native = given.architecture == "native"
        if given.server is not None:
            served = f"{given.server.model} served at {given.server.base_url}"
            path = self._cache / "models" / parsed.name
            return Fetched(path, source=served, revision=None, files={}), Recognised(())
        if complete(given):
            fetched = self._fetched(parsed, given, None)
            if given.format != "gguf":
                refuse_code(fetched.path, native=native)
            return fetched, Recognised(())
        stated = published_models(self._cache).get(parsed.name) if parsed.kind == "hub" else None
        if stated is not None and stated.needs_code and not native:
            problem = f"by mteb's metadata {parsed.name} needs code of its own, which never runs here"
            raise InputError(problem, hint=OR_NATIVE)
        fetched = self._fetched(parsed, given, stated)
        found = recognise(fetched.path, native=native, asked=asked)
        if stated is not None:
            _add_stated(found, stated, parsed.name if given.kind is None else None)
        found.fields |= {"kind": found.kinds[0], "sources": self._sources(parsed, given, stated)}
        return fetched, found

    def _sources(self, parsed: ModelReference, given: GivenEntry, stated: PublishedModel | None) -> list[Any]:
        if given.sources:
            return list(given.sources)
        if parsed.kind == "hub":
            revision = parsed.commit or (stated.revision if stated else None)
            files = [*CONTENT, "README.md"]
            return [HubSource(kind="hub", repository=parsed.name, revision=revision, files=files)]
        if parsed.kind == "folder":
            return [FolderSource(kind="folder", folder=str(parsed.folder))]
        raise InputError(f"model {parsed.name!r} has no sources", hint="add them to its registry entry")

    def _fetched(self, parsed: ModelReference, given: GivenEntry, stated: PublishedModel | None) -> Fetched:
        """Return the folder that the model loads from, with the hashes of its files."""
        name = file_name(str(parsed))
        sources = self._sources(parsed, given, stated)
        target = self._cache / "models" / name
        folders = [one for one in sources if isinstance(one, FolderSource)]
        if folders:
            origin, base, label, revision = Path(folders[0].folder), folders[0].base, folders[0].label, None
        else:
            try:
                fetched = fetch(str(parsed), sources, target, given.files)
            except UnavailableError as error:
                if parsed.kind == "hub" and Path(parsed.name).is_dir():
                    raise UnavailableError(f"{error}; for the folder here write ./{parsed.name}") from error
                raise
            origin, base, label, revision = fetched.path, None, fetched.source, fetched.revision
            if not (origin / "adapter_config.json").is_file():
                return fetched
        folder = compose(origin, base, target, self.examine)
        hashes = file_hashes(content_files(folder), self._cache / "hashes" / f"{name}.json")
        return Fetched(
            folder, label, revision, {p.relative_to(folder).as_posix(): h for p, h in hashes.items()}
        )


def _add_stated(found: Recognised, stated: PublishedModel, name: str | None) -> None:
    """Add the fields of mteb's metadata; with ``name``, drop the kinds that its type excludes."""
    if name is not None:
        possible = set[str]().union(*(_BY_TYPE.get(one, set(found.kinds)) for one in stated.types))
        kinds = tuple(kind for kind in found.kinds if kind in possible)
        if not kinds:
            raise InputError(
                f"{name} is {' and '.join(stated.types)} by mteb's metadata, but {' or '.join(found.kinds)}"
                f" by {found.evidence['kind']}",
                hint="name another model, or set kind in its registry entry",
            )
        found.kinds = kinds
        found.fields["trained_for_embedding"] |= stated.types == ["dense"]
    known: dict[str, Any] = {
        "licence": stated.licence, "prompts": stated.prompts,
        "relevance_prompt": _RELEVANCE_PROMPTS.get(stated.loader),
    }  # fmt: skip
    if stated.longest:
        longest = min(stated.longest, found.fields["window"])
        known |= {"document_tokens": longest, "query_tokens": longest}
    found.add("mteb's metadata", **{field: value for field, value in known.items() if value})
