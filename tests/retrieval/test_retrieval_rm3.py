"""RM3 against its formula written out over term lists, on lee with every query's own text excluded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from retrieval_reference import bm25_scores

from e2rank_eval.config import parse_configuration
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import candidates
from e2rank_eval.retrieval.first_stages.bm25 import QuantisedBM25
from e2rank_eval.retrieval.first_stages.rm3 import RM3, RM3Settings
from e2rank_eval.retrieval.lucene import quantised
from e2rank_eval.retrieval.retrieve import retrieve
from e2rank_eval.store.collections import read_candidate_ids, write_dataset
from e2rank_eval.store.layout import Layout


def toy() -> Dataset:
    """Query q asks for "flow"; document own is the query's own and excluded; "common" is in too many."""
    texts = {
        "own": "flow flow flow secret secret",
        "a": "flow plate plate common",
        "b": "flow plate drag common",
        "c": "plate plate drag common",
        "d": "wing common naïve",
    } | {f"z{i}": f"filler{i} common" for i in range(30)}
    return Dataset(
        "toy",
        {name: Document(name, text) for name, text in texts.items()},
        {"q": Query("q", "flow")},
        {"q": {"a": 1}},
        {"q": frozenset({"own"})},
    )


def expanded_by_definition(
    dataset: Dataset, query: Query, *, documents: int, terms: int, weight: float
) -> dict:
    """P(t | R) of the first documents that are not excluded, interpolated with the query."""
    index = QuantisedBM25(dataset.corpus.values(), analyser="simple")
    bags = {name: index.terms(document.contents) for name, document in dataset.corpus.items()}
    asked = index.terms(query.text)
    frequency = Counter(term for bag in bags.values() for term in set(bag))
    scores = bm25_scores(list(bags.values()), asked, 0.9, 0.4, lambda n: int(quantised([n])[0]))
    ranked = sorted(zip(scores, bags, strict=True), key=lambda one: -one[0])
    allowed = [(s, name) for s, name in ranked if s > 0 and name not in dataset.exclusions.get(query.id, ())]
    model: Counter[str] = Counter()
    for score, name in allowed[:documents]:
        bag = Counter(
            term
            for term in bags[name]
            if 2 <= len(term) <= 20 and term.isascii() and term.isalnum()
            if frequency[term] / len(bags) <= 0.1
        )
        top = dict(sorted(bag.items(), key=lambda item: (-item[1], item[0]))[:terms])
        for term, count in top.items():
            model[term] += score * count / sum(top.values())
    heaviest = dict(sorted(model.items(), key=lambda item: (-item[1], item[0]))[:terms])
    query_model = {term: count / len(asked) for term, count in Counter(asked).items()}
    if not heaviest:
        return query_model
    return {
        term: weight * query_model.get(term, 0)
        + (1 - weight) * heaviest.get(term, 0) / sum(heaviest.values())
        for term in {*query_model, *heaviest}
    }


def test_the_expansion_of_a_toy_query_is_the_formula_by_hand() -> None:
    rm3 = RM3(toy(), RM3Settings(retriever="rm3", feedback_documents=2, feedback_terms=2))
    (model,) = rm3.expanded([Query("q", "flow")])
    assert set(model) == {"flow", "plate"}, "secret is excluded, common too common, drag lighter"
    assert sum(model.values()) == pytest.approx(1)
    hits = candidates(rm3, toy(), depth=4)[0]
    assert hits.document_ids[:3] == ("a", "b", "c"), "c has no word of the query"


@pytest.mark.parametrize(("documents", "terms", "weight"), [(10, 10, 0.5), (3, 5, 0.2), (1, 1, 0.0)])
def test_expansions_agree_with_the_definition_on_lee(
    lee_dataset: Dataset, documents: int, terms: int, weight: float
) -> None:
    queries = list(lee_dataset.queries.values())[:12]
    rm3 = RM3(
        lee_dataset,
        RM3Settings(
            retriever="rm3", feedback_documents=documents, feedback_terms=terms, original_weight=weight
        ),
    )
    for query, model in zip(queries, rm3.expanded(queries), strict=True):
        expected = expanded_by_definition(lee_dataset, query, documents=documents, terms=terms, weight=weight)
        assert model == pytest.approx(expected, rel=1e-5)


def test_a_weight_of_one_is_bm25_and_so_is_a_query_that_finds_nothing(lee_dataset: Dataset) -> None:
    queries = [*list(lee_dataset.queries.values())[:5], Query("none", "zzzz"), Query("empty", "")]
    depths = [20] * len(queries)
    plain = QuantisedBM25(lee_dataset.corpus.values(), analyser="simple").search(queries, depths)
    again = RM3(lee_dataset, RM3Settings(retriever="rm3", original_weight=1.0)).search(queries, depths)
    assert [hits.positions for hits in again] == [hits.positions for hits in plain]


def test_the_command_writes_its_candidates(tmp_path: Path) -> None:
    configuration = parse_configuration(
        {
            "profile": "test",
            "datasets": {"toy": {"path": "toy"}},
            "first_stages": {"rm3": {"retriever": "rm3", "feedback_documents": 2, "feedback_terms": 2}},
            "rerankers": {"first-stage": {"family": "identity"}},
        },
        "test",
    )
    layout = Layout(tmp_path)
    write_dataset(tmp_path / "datasets" / "toy", toy())
    retrieve(configuration, "rm3", ["toy"], layout, models=None)  # type: ignore[arg-type]
    lists = read_candidate_ids(tmp_path / "candidates" / "toy" / "rm3.jsonl")
    assert lists["q"].document_ids[:3] == ("a", "b", "c")
    assert "own" not in lists["q"].document_ids
