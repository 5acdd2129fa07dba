"""A corpus that stays on disk: only ids are in memory, and each pass reads the documents again."""

from __future__ import annotations

from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, Mapping, ValuesView
from pathlib import Path

from e2rank_eval.errors import InputError
from e2rank_eval.records import Document

Read = Callable[[], Iterable[tuple[int | None, Document]]]
"""Starts a pass over the documents in order, with line numbers (None without lines)."""


class StreamedCorpus(Mapping[str, Document]):
    """Documents by id in the order of ``read``; only the ids are in memory.

    ``len``, ``in`` and iteration need no pass over the documents; ``values()`` and each lookup of a document
    are one pass, as is :meth:`select`, which looks up several. A document that is repeated with the same
    content is kept once; ``repeated`` counts the repetitions.

    Raises
    ------
    InputError
        Naming ``path`` and the line: an id with two contents, or an empty corpus; also as ``read`` does.
    """

    def __init__(self, read: Read, path: Path | str, *, hint: str) -> None:
        self._read = read
        self._ids: dict[str, None] = {}
        again: list[tuple[int | None, Document]] = []
        for number, document in read():
            if document.id in self._ids:
                again.append((number, document))
            self._ids[document.id] = None
        if not self._ids:
            raise InputError("the corpus is empty", path=path, hint="add documents")
        self.repeated = len(again)
        self._repeated = {document.id for _, document in again}
        first = self.select(self._repeated)
        for number, document in again:
            if document != first[document.id]:
                raise InputError(f"id {document.id!r} has two contents", path=path, line=number, hint=hint)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._ids

    def __getitem__(self, identifier: str) -> Document:
        return self.select([identifier])[identifier]

    def _documents(self) -> Iterator[Document]:
        waiting = set(self._repeated)
        for _, document in self._read():
            if document.id not in self._repeated:
                yield document
            elif document.id in waiting:
                waiting.remove(document.id)
                yield document

    def values(self) -> ValuesView[Document]:
        return _Values(self)

    def items(self) -> ItemsView[str, Document]:
        return _Items(self)

    def select(self, identifiers: Collection[str]) -> dict[str, Document]:
        """Return the documents with these ids, in corpus order, with one pass.

        Raises
        ------
        KeyError
            When the corpus lacks one.
        """
        wanted = set(identifiers)
        unknown = wanted - self._ids.keys()
        if unknown:
            raise KeyError(min(unknown))
        found: dict[str, Document] = {}
        for document in self._documents() if wanted else ():
            if document.id in wanted:
                found[document.id] = document
                if len(found) == len(wanted):
                    break
        return found


class _Values(ValuesView[Document]):
    _mapping: StreamedCorpus

    def __iter__(self) -> Iterator[Document]:
        return self._mapping._documents()


class _Items(ItemsView[str, Document]):
    _mapping: StreamedCorpus

    def __iter__(self) -> Iterator[tuple[str, Document]]:
        return ((document.id, document) for document in self._mapping._documents())


def selected(corpus: Mapping[str, Document], identifiers: Collection[str]) -> Mapping[str, Document]:
    """Return a mapping with at least the documents with these ids, for any kind of corpus."""
    return corpus.select(identifiers) if isinstance(corpus, StreamedCorpus) else corpus
