"""The data types of the suite: queries, documents, candidates, rankings with statistics, and data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Query:
    """One query; ``text`` is without any instruction."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a corpus."""

    id: str
    text: str
    title: str = ""

    @property
    def contents(self) -> str:
        """Title and text as one string, the input of all models and indexes."""
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that a first stage retrieved for a query, with its score."""

    document: Document
    score: float


@dataclass(frozen=True, slots=True)
class CandidateIds:
    """The candidates of one query as document ids and scores, best first."""

    query_id: str
    document_ids: tuple[str, ...]
    scores: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.document_ids)


@dataclass(frozen=True, slots=True)
class CandidateList:
    """The candidates of one query with their documents, in first-stage order, each document once."""

    query_id: str
    candidates: tuple[Candidate, ...]

    def __post_init__(self) -> None:
        ids = self.document_ids
        if len(set(ids)) != len(ids):
            raise ValueError(f"candidate list of query {self.query_id!r} repeats a document")

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def documents(self) -> tuple[Document, ...]:
        return tuple(candidate.document for candidate in self.candidates)

    @property
    def document_ids(self) -> tuple[str, ...]:
        return tuple(candidate.document.id for candidate in self.candidates)

    @property
    def scores(self) -> tuple[float, ...]:
        return tuple(candidate.score for candidate in self.candidates)


@dataclass(frozen=True, slots=True)
class QueryStats:
    """Statistics of ranking one query: counts and scores, but no times, so that they are deterministic.

    ``calls``: forward passes over a prompt (listwise windows, pairs, or the one E2Rank prompt);
    ``prompt_tokens``, ``output_tokens``: their tokens; ``document_tokens``: tokens of documents encoded
    separately; ``prompt_documents``: documents in prompts; ``truncated_documents``: documents cut to a
    limit; ``truncated_query``: whether the query was cut, so that documents keep a quarter of the window;
    ``repairs``: number of malformed outputs by kind; ``scores``: the model's scores in first-stage order,
    None for families without scores; ``prompt``: the prompt as sent, if there is exactly one;
    ``kept_first_stage``: the reason why the query kept its first-stage order, if ranking it failed.
    """

    calls: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    document_tokens: int = 0
    prompt_documents: int = 0
    truncated_documents: int = 0
    truncated_query: bool = False
    repairs: Mapping[str, int] = field(default_factory=dict)
    scores: tuple[float, ...] | None = None
    prompt: str | None = None
    kept_first_stage: str | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """A permutation of one query's candidates.

    ``order[r]`` is the first-stage position (0-based) of the document at rank ``r + 1``.

    Raises
    ------
    ValueError
        When ``order`` is not a permutation of ``range(len(candidates))``.
    """

    candidates: CandidateList
    order: tuple[int, ...]
    stats: QueryStats

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.candidates))):
            raise ValueError(f"ranking of query {self.query_id!r} is not a permutation of its candidates")

    @property
    def query_id(self) -> str:
        return self.candidates.query_id

    @property
    def document_ids(self) -> tuple[str, ...]:
        """Document ids, best first."""
        ids = self.candidates.document_ids
        return tuple(ids[position] for position in self.order)


@dataclass(frozen=True, slots=True)
class ListwiseInput:
    """An enriched query, which E2Rank embeds: the query and the texts of its first candidates, in order."""

    query: str
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A test collection: corpus and queries by id, graded judgements, exclusions.

    ``corpus`` may be stored on disk (:class:`e2rank_eval.store.corpus.StreamedCorpus`); iterate over
    ``values()``, which reads one document at a time.

    ``qrels[query_id][document_id]`` is the grade; ``exclusions[query_id]`` are documents that are removed
    from the candidates before the cut to depth (BRIGHT's ``excluded_ids``, or a query that is itself in the
    corpus).
    """

    id: str
    corpus: Mapping[str, Document]
    queries: Mapping[str, Query]
    qrels: Mapping[str, Mapping[str, int]]
    exclusions: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        judgements = sum(map(len, self.qrels.values()))
        return (
            f"Dataset({self.id}: {len(self.corpus):,} documents, {len(self.queries):,} queries, "
            f"{judgements:,} judgements)"
        )
