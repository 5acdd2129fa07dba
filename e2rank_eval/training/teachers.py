"""Teachers: models that rank training lists, such as those of a judged collection, and how well they did.

A teacher scores documents, by knowing the relevant ones or by two models together; or it is any
reranker of the suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.config.training_lists import BlendSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.models.encoders.sparse import SparseEncoder, load_sparse_encoder
from e2rank_eval.models.provider import ModelProvider
from e2rank_eval.models.truncation import cut_words
from e2rank_eval.progress import track
from e2rank_eval.records import Candidate, CandidateList, Dataset, Document, ListwiseInput, Query
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.retrieval.base import candidates
from e2rank_eval.retrieval.first_stages.bm25 import BM25
from e2rank_eval.store.files import write_json
from e2rank_eval.training.lists import TrainingList, dense_ranks, read_lists, write_lists

_DECIMALS = 6
_TOGETHER = 16
"""Lists that a reranker ranks at once."""


class Teacher(Protocol):
    """Whatever can score the documents of a query."""

    def scores(self, lists: Sequence[TrainingList]) -> list[list[float]]:
        """Return a score of each document of each list, the higher the better, to 6 decimals."""
        ...


class OracleTeacher:
    """Similarity to unit(query + unit(mean of the relevant vectors)): Rocchio by an oracle."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def scores(self, lists: Sequence[TrainingList]) -> list[list[float]]:
        """Raise InputError when no document of a list is known to be relevant."""
        unknown = next((item for item in lists if not item.labelled), None)
        if unknown is not None:
            raise InputError(
                f"query {unknown.query[:60]!r} has no known positive", hint='give its line "positives": [1]'
            )
        queries = self._encoder.encode([item.query for item in lists], "query").vectors
        rows = _distinct(lists)
        vectors = self._encoder.encode(list(rows), "document").vectors
        return [
            oracle_scores(query, vectors[[rows[text] for text in item.documents]], item.labelled)
            for item, query in zip(lists, queries, strict=True)
        ]


class BlendedTeacher:
    """A dense and a sparse model together, without the judgements: what one misses the other may see.

    Similarity to unit(q + listwise vector of the first documents), as E2Rank's residual has it with
    weight 1, plus ``weight`` times the sparse dot product; both with mean 0 and deviation 1 over the
    query's documents, so that their scales do not matter.
    """

    def __init__(self, encoder: Encoder, sparse: SparseEncoder, settings: BlendSettings) -> None:
        self._encoder = encoder
        self._sparse = sparse
        self._settings = settings

    def scores(self, lists: Sequence[TrainingList]) -> list[list[float]]:
        """Return a score of each document of each list; positives are not looked at."""
        rows, queries = _distinct(lists), [item.query for item in lists]
        prompts = [self._prompt(item) for item in lists]
        enriched = self._encoder.encode(queries, "query").vectors.astype(np.float64)
        enriched += self._encoder.encode_listwise(prompts).vectors
        vectors = self._encoder.encode(list(rows), "document").vectors
        sparse_queries = self._sparse.encode(queries, "query").vectors.astype(np.float64)
        sparse = self._sparse.encode(list(rows), "document").vectors
        found = []
        for number, item in enumerate(track(lists, description="ranking lists")):
            own = [rows[text] for text in item.documents]
            similar = vectors[own].astype(np.float64) @ enriched[number]
            products = (sparse[own].astype(np.float64) @ sparse_queries[number].T).toarray()[:, 0]
            both = standardised(similar) + self._settings.weight * standardised(products)
            found.append(np.round(both, _DECIMALS).tolist())
        return found

    def _prompt(self, item: TrainingList) -> ListwiseInput:
        first = item.documents[: self._settings.documents]
        return ListwiseInput(item.query, tuple(map(cut_words, first)))


def load_teacher(models: ModelProvider, encoder: str, blend: BlendSettings | None) -> Teacher:
    """Load the oracle teacher with vectors of ``encoder``; with ``blend`` it and a sparse model together."""
    if blend is None:
        return OracleTeacher(models.encoder(encoder))
    sparse = load_sparse_encoder(models.resolve(blend.sparse, "sparse-encoder"))
    return BlendedTeacher(models.encoder(encoder), sparse, blend)


def _distinct(lists: Sequence[TrainingList]) -> dict[str, int]:
    """Return the distinct documents of all lists, which share many, and the row of each."""
    return {text: row for row, text in enumerate(dict.fromkeys(t for item in lists for t in item.documents))}


def oracle_scores(query: Vectors, documents: Vectors, positives: Sequence[int]) -> list[float]:
    """Return the similarity of each of ``documents`` [n, d] to unit(query + unit(mean positive))."""
    mean = documents[list(positives)].astype(np.float64).mean(0)
    target = query.astype(np.float64) + mean / np.linalg.norm(mean)
    scores: list[float] = np.round(documents @ (target / np.linalg.norm(target)), _DECIMALS).tolist()
    return scores


def standardised(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores of mean 0 and standard deviation 1; zeros where all scores are equal."""
    spread = scores.std()
    return np.zeros_like(scores) if spread == 0 else (scores - scores.mean()) / spread


def unranked_lists(dataset: Dataset, depth: int) -> list[TrainingList]:
    """Return a list for each query with a relevant document: BM25's first ``depth``, then missing positives.

    Documents of grade 1 and above are labelled. Positives that BM25 did not find come last, so a
    prompt of the first documents is what it is in use. Where fewer than ``depth`` documents share a term with
    the query, others in corpus order follow as negatives. Queries all of whose documents are relevant are
    skipped: there is nothing to order.
    """
    found = []
    ranked = candidates(BM25(tuple(dataset.corpus.values())), dataset, depth)
    for query, own in zip(dataset.queries.values(), ranked, strict=True):
        relevant = [i for i, grade in dataset.qrels[query.id].items() if grade > 0 and i in dataset.corpus]
        first = list(own.document_ids)
        if len(first) < depth:
            excluded = {*first, *dataset.exclusions.get(query.id, ())}
            first += [i for i in dataset.corpus if i not in excluded][: depth - len(first)]
        ids = list(dict.fromkeys([*first, *relevant]))
        labelled = tuple(place for place, i in enumerate(ids) if i in set(relevant))
        if labelled and len(labelled) < len(ids):
            texts = tuple(dataset.corpus[i].contents for i in ids)
            found.append(TrainingList(query.text, texts, source=dataset.id, labelled=labelled))
    return found


def rank_lists(lists: Sequence[TrainingList], teacher: Teacher) -> list[TrainingList]:
    """Return ``lists`` ranked by the teacher's scores; documents of equal score tie."""
    ranks = [dense_ranks([-score for score in scores]) for scores in teacher.scores(lists)]
    return [replace(item, ranks=own) for item, own in zip(lists, ranks, strict=True)]


@dataclass(frozen=True, slots=True)
class Labels:
    """The lists that a teacher ranked, and the repairs of each ranking that was malformed and dropped."""

    lists: list[TrainingList] = field(default_factory=list)
    malformed: list[Mapping[str, int]] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """Return the counts that are stored beside the lists.

        One dropped list may have several kinds of repair. ``accuracy`` is the share of lists with known
        positives that have one of them first (the paper's figure 5).
        """
        right = [item.best in item.labelled for item in self.lists if item.labelled]
        kinds = Counter(kind for repairs in self.malformed for kind in repairs)
        return {
            "labelled": len(self.lists),
            "dropped": len(self.malformed),
            "malformed": dict(sorted(kinds.items())),
            "known_positives": len(right),
            "accuracy": sum(right) / len(right) if right else None,
        }


def label_with_reranker(lists: Sequence[TrainingList], teacher: Reranker) -> Labels:
    """Label ``lists`` with the order that any reranker gives; a list whose order was repaired is dropped."""
    labels = Labels()
    for start in track(range(0, len(lists), _TOGETHER), description=f"labelling {_TOGETHER} lists at once"):
        group = lists[start : start + _TOGETHER]
        queries = [Query(str(number), item.query) for number, item in enumerate(group)]
        given = [_candidates(str(number), item) for number, item in enumerate(group)]
        for item, ranking in zip(group, teacher.rank_candidates(queries, given), strict=True):
            if ranking.stats.repairs:
                labels.malformed.append(ranking.stats.repairs)
            else:
                ranks = tuple((np.argsort(ranking.order) + 1).tolist())
                labels.lists.append(replace(item, ranks=ranks))
    return labels


def _candidates(query_id: str, item: TrainingList) -> CandidateList:
    documents = (Document(str(place), text) for place, text in enumerate(item.documents))
    return CandidateList(
        query_id, tuple(Candidate(one, -float(place)) for place, one in enumerate(documents))
    )


def write_labels(path: Path, labels: Labels) -> None:
    """Write the lists as JSONL, and beside them ``<name>.summary.json``.

    Raises
    ------
    InputError
        When every list was dropped.
    """
    if not labels.lists:
        raise InputError("the teacher's output was malformed for every list", hint="name another teacher")
    write_lists(path, labels.lists)
    write_json(path.with_name(f"{path.name}.summary.json"), labels.summary())


def read_unlabelled(path: Path) -> list[TrainingList]:
    """Read lists to be labelled; where a line names no positives, the first of its ranking are."""
    return [replace(item, labelled=item.positives) for item in read_lists(path)]
