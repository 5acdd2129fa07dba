"""Published candidate lists from a hub: the published layout, exclusions, and refusals of other lists."""

from __future__ import annotations

import json

import published
import pytest

from e2rank_eval.config import parse_configuration
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.loading import Models
from e2rank_eval.records import Dataset
from e2rank_eval.retrieval.base import candidates
from e2rank_eval.retrieval.first_stages.bm25 import BM25
from e2rank_eval.retrieval.first_stages.published import REPOSITORY, fetch_lists, read_lists
from e2rank_eval.retrieval.retrieve import retrieve
from e2rank_eval.store.collections import read_candidates, write_dataset
from e2rank_eval.store.layout import Layout


def lists_of(dataset, depth=30):
    """Lines as in the data set and in llm4ranking's sample of it, toy_data/dl19_bm25_top20.jsonl."""
    rows = []
    for one in candidates(BM25(tuple(dataset.corpus.values())), dataset, depth):
        hits = [
            {
                "content": dataset.corpus[document_id].contents,
                "qid": int(one.query_id) if one.query_id.isdigit() else one.query_id,
                "docid": document_id,
                "rank": rank,
                "score": score,
            }
            for rank, (document_id, score) in enumerate(
                zip(one.document_ids, one.scores, strict=True), start=1
            )
        ]
        rows.append({"query": dataset.queries[one.query_id].text, "hits": hits})
    return rows


def excluding(dataset, count):
    """The same data set, the first ``count`` published hits of its first query excluded from it."""
    query = next(iter(dataset.queries))
    gone = frozenset(str(hit["docid"]) for hit in lists_of(dataset)[0]["hits"][:count])
    return Dataset(dataset.id, dataset.corpus, dataset.queries, dataset.qrels, {query: gone}), query, gone


def test_the_command_takes_published_lists_and_cuts_after_exclusions(hub_server, spaced, tmp_path):
    collection, query, gone = excluding(spaced, 4)
    rows = [*lists_of(spaced), {"query": "of no one", "hits": []}]
    commit = hub_server.publish(
        "datasets",
        REPOSITORY,
        {"bm25/covid_top100.jsonl": published.lines(rows), "reasonir/covid_top100.jsonl": b"{}\n"},
    )
    configuration = parse_configuration(
        {
            "profile": "small",
            "cache": str(tmp_path / "cache"),
            "datasets": {"trec-covid": {}},
            "first_stages": {"bm25": {"retriever": "published", "lists": "bm25", "depth": 20}},
            "rerankers": {"first-stage": {"family": "identity"}},
        },
        "test.yaml",
    )
    layout = Layout(tmp_path / "results" / "small")
    write_dataset(layout.root / "datasets" / "trec-covid", collection)
    models = Models(tmp_path / "cache", threads=1)
    retrieve(configuration, "bm25", ["trec-covid"], layout, models)
    path = layout.root / "candidates" / "trec-covid" / "bm25.jsonl"
    found = read_candidates(path, spaced.corpus)
    expected = {
        q: [str(h["docid"]) for h in row["hits"]] for q, row in zip(spaced.queries, rows, strict=False)
    }
    assert {len(one) for one in found.values()} == {20}
    assert list(found[query].document_ids) == [i for i in expected[query] if i not in gone][:20]
    others = [q for q in found if q != query]
    assert all(list(found[q].document_ids) == expected[q][:20] for q in others)
    manifest = json.loads(path.with_name("bm25.jsonl.manifest.json").read_text())
    assert manifest["revision"] == commit
    # Fetched once: the hub may be gone by the second time.
    hub_server.repositories.clear()
    retrieve(configuration, "bm25", ["trec-covid"], layout, models)


def test_a_list_that_was_not_published_is_named(hub_server, tmp_path):
    hub_server.publish("datasets", REPOSITORY, {"bm25/dl19_top100.jsonl": b"{}\n"})
    with pytest.raises(UnavailableError, match=r"bm25/scidocs_top100\.jsonl"):
        fetch_lists("bm25", "scidocs", tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.jsonl"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: rows[1].pop("hits"), ":2: not a candidate list .*hits"),
        (lambda rows: rows[1]["hits"][0].pop("score"), "KeyError: 'score'"),
        (lambda rows: rows[1]["hits"][3].update(docid="elsewhere"), "'elsewhere' is not in the corpus"),
        (
            lambda rows: rows[1]["hits"][3].update(docid=rows[1]["hits"][0]["docid"]),
            "a document appears twice",
        ),
        (lambda rows: rows[1]["hits"][3].update(qid="another"), "hits of several queries"),
        (lambda rows: rows[1]["hits"].reverse(), "ranks that do not ascend"),
        (lambda rows: rows.append(rows[0]), "appears twice"),
        (lambda rows: rows.pop(), "no candidates for 1 of"),
    ],
)
def test_lists_that_do_not_fit_are_refused(texts, tmp_path, change, problem):
    rows = lists_of(texts)
    change(rows)
    path = tmp_path / "lists.jsonl"
    path.write_bytes(published.lines(rows))
    with pytest.raises(InputError, match=problem):
        read_lists(path, texts, 20)
