"""Training lists of several judged collections; candidates come from the texts of all, for hard negatives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from e2rank_eval.config.training_lists import MixedCollection, MixSettings
from e2rank_eval.datasets.loading import load_split, own_folder
from e2rank_eval.datasets.slices import sample
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import candidates
from e2rank_eval.retrieval.first_stages.bm25 import QuantisedBM25
from e2rank_eval.training.lists import TrainingList, folded, graded_list

Judgements = Mapping[str, Mapping[str, int]]
"""Grades by document of the merged corpus, by question as :func:`folded` writes it."""

_RANK_1_SHARE, _FEWEST_AT_RANK_1 = 5, 100
"""An easy collection has one list with a positive at rank 1 for every 5 others, or 100 such lists."""

_COPIED = 5
"""Words in the sequences by which near copies are recognised."""

_TITLE_WORDS = 4
"""The least number of words of a title that is used as a query."""

_EVERY = 6
"""Every sixth list of a source may be held out."""


def mixed_lists(settings: MixSettings, cache: Path) -> tuple[list[TrainingList], list[TrainingList]]:
    """Return the training lists (of every collection, then of titles) and the development lists.

    The source of a list is its collection. Candidates are BM25's (Lucene's analyser and lengths) over the
    distinct texts of all collections. Judgements of a question also hold for the same question in another
    collection; such a question has one list only. Unjudged near copies of a positive are removed. Lists
    without a positive or without a negative are skipped. Of an easy collection, mostly lists whose first
    positive is at rank 2 or below are drawn; all draws follow ``settings.seed``.

    The development lists are lists held out of each source, then the top candidates of queries of the
    development collections.

    Raises
    ------
    InputError
        When a file is not the pinned one, or a data set or split is missing.
    UnavailableError
        When a collection has no folder.
    """
    read = {name: _read(name, one, cache) for name, one in settings.collections.items()}
    watched = {name: _read(name, one, cache) for name, one in settings.development.items()}
    left_out = {
        name: [load_split(name, split, cache).dataset for split in splits]
        for name, splits in settings.left_out.items()
    }
    never = [one for sets in (*left_out.values(), *watched.values()) for one in sets]
    asked = {folded(query.text) for one in never for query in one.queries.values()}
    corpus, judged = _merged(read)
    index = QuantisedBM25(corpus.values(), analyser="lucene")
    lists: list[TrainingList] = []
    for name, sets in read.items():
        new = {i: query for i, query in _queries(sets).items() if folded(query.text) not in asked}
        asked |= {folded(query.text) for query in new.values()}
        found = _lists(name, new, corpus, index, judged, settings)
        lists += _drawn(found, settings, _RANK_1_SHARE if settings.collections[name].easy else None)
    for name, sets in read.items():
        if settings.collections[name].titles:
            relevant = {i for one in left_out.get(name, ()) for its in one.qrels.values() for i in its}
            lists += _drawn(_title_lists(name, sets[0], relevant, settings), settings, 1)
    training, development = _held_out(lists, settings.held_out)
    for name, sets in watched.items():
        development += _development_lists(name, sets, read, settings)
    return training, development


def _read(name: str, wanted: MixedCollection, cache: Path) -> list[Dataset]:
    """Return the splits of a collection, which share one corpus."""
    if own_folder(name) is None and not Path(name).is_dir():
        raise UnavailableError(f"{name}: convert {wanted.source} to BEIR layout, into $E2RANK_DATA/{name}")
    found = [load_split(name, split, cache) for split in wanted.splits]
    for one in found:
        for path, given in one.source["files"].items():
            if wanted.files and given != wanted.files.get(path):
                raise InputError(
                    f"SHA-256 {given[:12]}... is not the pinned one",
                    path=f"$E2RANK_DATA/{name}/{path}",
                    hint=f"convert {wanted.source} again",
                )
    return [one.dataset for one in found]


def _queries(sets: Iterable[Dataset]) -> dict[str, Query]:
    return {i: query for one in sets for i, query in one.queries.items()}


def _held_out(lists: Iterable[TrainingList], most: int) -> tuple[list[TrainingList], list[TrainingList]]:
    """Return the training lists, and every sixth list of each source, at most ``most``, as held out."""
    training: list[TrainingList] = []
    development: list[TrainingList] = []
    seen: Counter[str] = Counter()
    for item in lists:
        seen[item.source] += 1
        number, rest = divmod(seen[item.source], _EVERY)
        (training if rest or number > most else development).append(item)
    return training, development


def _development_lists(
    name: str, sets: Sequence[Dataset], mix: Mapping[str, Sequence[Dataset]], settings: MixSettings
) -> list[TrainingList]:
    """Return lists of the top candidates of every n-th query of a development collection."""
    wanted = settings.development[name]
    corpus, judged = _merged({name: sets, **(mix if wanted.among_all else {})})
    chosen = dict(list(_queries(sets).items())[:: wanted.every])
    ranked = candidates(
        QuantisedBM25(corpus.values(), analyser="lucene"),
        Dataset(name, corpus, chosen, {}),
        settings.documents,
    )
    found = []
    for own in ranked:
        query = chosen[own.query_id].text
        item = _list(Path(name).name, query, own.document_ids, corpus, judged[folded(query)], settings)
        found += [item] if item else []
    return found


def _merged(read: Mapping[str, Sequence[Dataset]]) -> tuple[dict[str, Document], Judgements]:
    """Return one corpus, with only the first of equal documents, and its judgements by question."""
    corpus: dict[str, Document] = {}
    judged: dict[str, dict[str, int]] = {}
    first_of: dict[str, str] = {}
    for name, sets in read.items():
        same: dict[str, str] = {}
        for document in sets[0].corpus.values():
            own = f"{name}/{document.id}"
            same[document.id] = first = first_of.setdefault(document.contents, own)
            if first == own:
                corpus[own] = Document(own, document.text, document.title)
        for one in sets:
            for query in one.queries.values():
                grades = judged.setdefault(folded(query.text), {})
                for i, grade in one.qrels[query.id].items():
                    if i in same:
                        grades[same[i]] = max(grade, grades.get(same[i], grade))
    return corpus, judged


def _lists(
    source: str,
    queries: Mapping[str, Query],
    corpus: Mapping[str, Document],
    index: QuantisedBM25,
    judged: Judgements,
    settings: MixSettings,
) -> dict[str, TrainingList]:
    """Return the lists by query id."""
    lists = {}
    for own in candidates(index, Dataset(source, corpus, queries, {}), settings.depth):
        query = queries[own.query_id].text
        judgements = judged[folded(query)]
        kept = _without_copies(own.document_ids, corpus, judgements)
        if found := _list(source, query, kept, corpus, judgements, settings):
            lists[own.query_id] = found.cut(settings.documents)
    return lists


def _list(
    source: str,
    query: str,
    identifiers: Sequence[str],
    corpus: Mapping[str, Document],
    judgements: Mapping[str, int],
    settings: MixSettings,
) -> TrainingList | None:
    """Return the documents in this order, ranked by their grades; None where all grades are equal."""
    texts = [_shortened(corpus[i].contents, settings.characters) for i in identifiers]
    return graded_list(query, texts, [judgements.get(i, 0) for i in identifiers], source)


def _title_lists(
    name: str, dataset: Dataset, without: Collection[str], settings: MixSettings
) -> dict[str, TrainingList]:
    texts = {one.id: one for one in dataset.corpus.values() if one.text}
    corpus = {i: Document(i, one.text) for i, one in texts.items()}
    titles = {
        i: Query(i, one.title)
        for i, one in texts.items()
        if i not in without and len(one.title.split()) >= _TITLE_WORDS
    }
    judged: dict[str, dict[str, int]] = {}
    for i, title in titles.items():
        judged.setdefault(folded(title.text), {})[i] = 1
    return _lists(
        f"{name}-titles", titles, corpus, QuantisedBM25(corpus.values(), analyser="lucene"), judged, settings
    )


def _drawn(lists: Mapping[str, TrainingList], settings: MixSettings, share: int | None) -> list[TrainingList]:
    """Draw lists; with ``share``, one list with its positive at rank 1 for every ``share`` hard lists."""

    def draw(among: Iterable[str], number: int) -> list[str]:
        return sample(among, number, seed=settings.seed, purpose="training lists")

    if share is None:
        return [lists[i] for i in draw(lists, settings.lists)]
    places = {i: min(one.labelled) for i, one in lists.items()}
    hard = draw((i for i in lists if places[i] > 0), settings.lists * share // (share + 1))
    easy = draw((i for i in lists if places[i] == 0), max(_FEWEST_AT_RANK_1, len(hard) // share))
    kept = {*hard, *easy}
    return [one for i, one in lists.items() if i in kept]


def _without_copies(
    identifiers: Iterable[str], corpus: Mapping[str, Document], judgements: Mapping[str, int]
) -> list[str]:
    """Remove unjudged near copies of a positive: they share half of the shorter text's word sequences."""
    relevant = [i for i, grade in judgements.items() if grade > 0]
    positives = [found for found in (_sequences(corpus[i].contents) for i in relevant) if found]

    def is_copy(identifier: str) -> bool:
        own = _sequences(corpus[identifier].contents)
        return bool(own) and any(2 * len(own & one) >= min(len(own), len(one)) for one in positives)

    return [i for i in identifiers if i in judgements or not is_copy(i)]


def _sequences(text: str) -> set[tuple[str, ...]]:
    words = text.casefold().split()
    return {tuple(words[at : at + _COPIED]) for at in range(len(words) - _COPIED + 1)}


def _shortened(text: str, characters: int) -> str:
    """Cut ``text`` to at most ``characters``, at a word boundary.

    >>> _shortened("one two three", 9)
    'one two'
    """
    return text if len(text) <= characters else text[:characters].rsplit(" ", 1)[0]
