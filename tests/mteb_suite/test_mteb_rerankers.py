"""Rerankers inside mteb: two stages rank as in our pipeline, and no input order reveals relevance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mteb
import pytest
from datasets import Dataset as Rows
from mteb.models.models_protocols import EncoderProtocol, SearchProtocol

from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.models.loading import Models
from e2rank_eval.mteb_suite.encoder import load_mteb_encoder
from e2rank_eval.mteb_suite.rerankers import MtebReranker, reranker_meta
from e2rank_eval.records import Candidate, CandidateList, Dataset
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.rerankers.families.feedback import FeedbackSettings
from e2rank_eval.rerankers.families.identity import IdentitySettings
from e2rank_eval.store.trec import Run


@pytest.fixture(scope="module")
def models(own_cache: Path, minilm_path: Path) -> Models:
    return Models(own_cache, threads=1)


def _adapter(settings: Any, models: Models, **options: Any) -> Any:
    reranker = settings.build(RerankContext(models=models))
    return MtebReranker(
        reranker,
        reranker_meta("mine", reranker.fingerprint),
        first_stage=options.get("first_stage"),
        depth=options.get("depth", 100),
    )


def _main_score(adapter: Any, task: Any, **options: Any) -> float:
    result = mteb.evaluate(adapter, task, cache=None, co2_tracker=False, **options)
    return float(result.task_results[0].get_score())


def test_two_stages_inside_mteb_rank_as_our_own_pipeline_does(
    models: Models, short_lee: Dataset, short_task: Callable[[], Any]
) -> None:
    """Rocchio on the 20 best by cosine: once through mteb, once through rank_candidates and trec_eval."""
    from e2rank_eval.retrieval.first_stages.dense import Dense

    settings = FeedbackSettings(family="feedback", model="all-minilm-l6-v2", documents=3)
    encoder = models.encoder("all-minilm-l6-v2")
    adapter = _adapter(settings, models, first_stage=encoder, depth=20)
    assert isinstance(adapter, SearchProtocol)
    assert not isinstance(adapter, EncoderProtocol)
    through_mteb = _main_score(adapter, short_task())

    reranker = settings.build(RerankContext(models=models))
    queries, corpus = list(short_lee.queries.values()), list(short_lee.corpus.values())
    hits = Dense(corpus, encoder).search(queries, [len(corpus)] * len(queries))
    run = {}
    for query, found in zip(queries, hits, strict=True):
        pairs = zip(found.positions, found.scores, strict=True)
        ranked = CandidateList(query.id, tuple(Candidate(corpus[p], s) for p, s in pairs))
        head = CandidateList(query.id, ranked.candidates[:20])
        order = [*reranker.rank_candidates([query], [head])[0].document_ids, *ranked.document_ids[20:]]
        run[query.id] = {d: -float(rank) for rank, d in enumerate(order) if d != query.id}
    ours = evaluate(Run(run), short_lee.qrels, ["nDCG@10"]).mean["nDCG@10"]
    assert through_mteb == pytest.approx(ours, abs=1e-4)
    assert adapter.take_usage().texts == 50 * 20


def test_a_task_converted_by_mteb_is_reranked_from_its_predictions(
    models: Models, short_task: Callable[[], Any], tmp_path: Path
) -> None:
    """The first stage's order stays under identity, and E2Rank changes it."""
    encoder = load_mteb_encoder("all-minilm-l6-v2", models)
    first = _main_score(encoder, short_task(), prediction_folder=tmp_path)
    converted = short_task().convert_to_reranking(tmp_path, top_k=50)
    kept = _main_score(_adapter(IdentitySettings(family="identity"), models), converted)
    assert kept == pytest.approx(first, abs=1e-5)
    e2rank = E2RankSettings(family="e2rank", model="all-minilm-l6-v2", prompt_documents=3)
    assert _main_score(_adapter(e2rank, models), converted) != pytest.approx(first, abs=1e-3)


def test_the_stored_order_of_a_reranking_task_has_no_effect() -> None:
    """Its lists often begin with the relevant documents, which a listwise model must not exploit."""
    reranker = IdentitySettings(family="identity").build(RerankContext(models=None))  # type: ignore[arg-type]
    adapter = MtebReranker(reranker, reranker_meta("identity", reranker.fingerprint))
    corpus = Rows.from_list([{"id": f"d{n}", "text": f"text {n}"} for n in range(30)])
    queries = Rows.from_list([{"id": "q", "text": "which?"}])
    task = mteb.get_task("AskUbuntuDupQuestions").metadata
    ids = list(corpus["id"])
    found = []
    for order in (ids, ids[::-1]):
        adapter.index(corpus)
        scores = adapter.search(queries, task_metadata=task, top_k=1000, top_ranked={"q": order})["q"]
        found.append(sorted(scores, key=lambda document: -scores[document]))
        assert len(set(scores.values())) == len(ids)
    assert found[0] == found[1]
    assert found[0] not in (ids, ids[::-1])


def test_without_candidates_or_a_first_stage_the_fix_is_named() -> None:
    reranker = IdentitySettings(family="identity").build(RerankContext(models=None))  # type: ignore[arg-type]
    adapter = MtebReranker(reranker, reranker_meta("identity", reranker.fingerprint))
    task = mteb.get_task("SciFact").metadata
    with pytest.raises(InputError, match="SciFact has no candidates to rerank; name a first stage"):
        adapter.search(Rows.from_list([{"id": "q", "text": "x"}]), task_metadata=task, top_k=10)
