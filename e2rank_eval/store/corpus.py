"""A corpus that stays on disk: its ids in memory, its documents read anew in each pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, Mapping, ValuesView
from pathlib import Path

from e2rank_eval.errors import InputError
from e2rank_eval.records import Document

Read = Callable[[], Iterable[tuple[int | None, Document]]]
"""Begins a pass: documents in order, with the number of their line where there are lines."""


class StreamedCorpus(Mapping[str, Document]):
    """Documents by id in the order of ``read``, of which only the ids are held.

    ``values()`` is a pass over the documents, and ``len``, ``in`` and iteration need none. Looking up
    one document is a pass too: :meth:`select` takes several in one. A document that is repeated with the
    same content is kept once; ``repeated`` counts these.

    Raises
    ------
    InputError
        Naming ``path`` and the line: an id with two contents, whatever ``read`` raises; or an empty corpus.
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
        """Return the documents of ``identifiers``, in corpus order, by one pass.

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
    """Return a mapping that has at least the documents of ``identifiers``, whichever kind of corpus it is."""
    return corpus.select(identifiers) if isinstance(corpus, StreamedCorpus) else corpus
