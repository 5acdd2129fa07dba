"""A small plausible results folder: synthetic rankings, written by the suite's own writers."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from e2rank_eval.config import Configuration, parse_configuration
from e2rank_eval.config.measurements import CostSweepSettings
from e2rank_eval.datasets.fetch import fetch_dataset
from e2rank_eval.evaluation.comparison import write_comparison
from e2rank_eval.evaluation.effectiveness import write_metrics
from e2rank_eval.evaluation.samples import Sample, columns, mean_tokens
from e2rank_eval.mteb_suite.summary import summarise
from e2rank_eval.records import Candidate, CandidateList, Dataset, QueryStats, Ranking
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, write_candidates
from e2rank_eval.store.files import read_json, write_json, write_jsonl, write_text
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import MtebRecord, MtebTask, write_record
from e2rank_eval.store.statistics import stats_row
from e2rank_eval.store.trec import write_run

INJECTION = "<script>document.title = 'injected'</script><img src=x onerror=\"document.title='injected'\">"
"""What a hostile collection would put into a query."""

SECRET = "a headline that may not be shown"
"""Part of every query of the collection whose texts stay closed."""

CONFIGURATION = Path(__file__).with_name("results_tree.yaml")

_NOISE = {
    "first-stage": 1.6, "query-only": 1.1, "rocchio": 1.05, "e2rank-pure": 1.0, "e2rank": 0.75,
    "e2rank-1": 1.0, "e2rank-3": 0.85, "e2rank-20": 0.8, "e2rank-smollm2": 2.4, "rankgpt": 1.7,
}  # fmt: skip
"""Standard deviation of what each system adds to the true grade: a smaller one ranks better."""

_SECONDS = {
    "query-only": 0.9, "rocchio": 0.95, "e2rank": 1.02, "e2rank-smollm2": 3.1, "rankgpt": 14.0,
}  # fmt: skip
"""Median seconds per query, documents encoded online."""


def build_results(folder: Path) -> Layout:
    """Write ``folder``/results/small with every result that ``results_tree.yaml`` asks for."""
    source, layout = folder / "source", Layout(folder / "results" / "small")
    _write_sources(source)
    values = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8").replace("SOURCE", str(source)))
    values["cache"] = str(folder / "cache")
    configuration = parse_configuration(values, "results_tree.py")
    write_text(layout.path(places.CONFIG), yaml.safe_dump(values))
    for name in configuration.datasets:
        fetch_dataset(name, configuration, layout)
        if name != "news":
            _open_texts(layout, name)
    entries = (configuration.comparisons, configuration.latency, configuration.figures)
    for run in dict.fromkeys(run for some in entries for one in some.values() for run in one.runs):
        _write_run(configuration, layout, *run)
    for name in configuration.comparisons:
        write_comparison(configuration, name, layout)
    for name in configuration.latency:
        _write_latency(configuration, layout, name)
    _write_mteb(layout)
    return layout


def _write_mteb(layout: Layout) -> None:
    wanted = {"LeeRetrieval": "Retrieval", "ReutersR8Classification": "Classification"}
    scores = {"LeeRetrieval": 76.51, "ReutersR8Classification": 88.0}
    tasks = tuple(MtebTask(task=task, type=kind, score=scores[task]) for task, kind in wanted.items())
    record = MtebRecord(
        system="all-minilm-l6-v2", name="all-MiniLM-L6-v2", benchmark=None, revision="0123",
        tasks=tasks, means=summarise(wanted, scores),
    )  # fmt: skip
    write_record(layout.path(places.MTEB_RECORD, entry="local", system="all-minilm-l6-v2"), record)


def _write_sources(folder: Path) -> None:
    rng = random.Random(7)
    for name, queries in (("news", 40), ("code", 30)):
        texts = [
            f"{SECRET} {i}" if name == "news" else f"find the function that does thing {i}"
            for i in range(queries)
        ]
        if name == "code":
            texts[3] = INJECTION
        rows = [{"_id": f"{name}-d{i}", "title": "", "text": f"document {i} of {name}"} for i in range(60)]
        (folder / name / "qrels").mkdir(parents=True)
        (folder / name / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / name / "queries.jsonl").write_text(
            "".join(json.dumps({"_id": f"q<i>{i}", "text": text}) + "\n" for i, text in enumerate(texts))
        )
        lines = ["query-id\tcorpus-id\tscore"]
        for i in range(queries):
            judged = rng.sample(range(60), 20)
            lines += [f"q<i>{i}\t{name}-d{d}\t{rng.choice([0, 0, 0, 1, 1, 2, 3])}" for d in judged]
        (folder / name / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")


def _open_texts(layout: Layout, name: str) -> None:
    """Local folders are closed by default; a registry entry could open them."""
    path = layout.path(places.DATASET_MANIFEST, dataset=name)
    write_json(path, read_json(path) | {"show_text": True, "licence": "CC0-1.0"})


def _write_run(
    configuration: Configuration, layout: Layout, name: str, first_stage: str, reranker: str
) -> None:
    dataset = read_dataset(layout.root / "datasets" / name, name)
    depth = configuration.depth_of(first_stage)
    lists = _candidates(dataset, depth)
    path = layout.path(places.CANDIDATES, dataset=name, first_stage=first_stage)
    write_candidates(path, lists)
    names = {"dataset": name, "first_stage": first_stage, "reranker": reranker}
    run, stats = layout.path(places.RUN, **names), layout.path(places.STATISTICS, **names)
    started = time.time()
    rankings = [_ranking(dataset, candidates, reranker) for candidates in lists]
    write_run(run, [(r.query_id, r.document_ids) for r in rankings], tag=reranker)
    write_jsonl(stats, [stats_row(r.query_id, r.stats) for r in rankings])
    command = f"e2rank-eval rerank {reranker} {name} --first-stage {first_stage} --config config.yaml"
    for output in (run, stats):
        write_manifest(output, command=command, settings={}, inputs=[path], started=started)
    write_metrics(configuration, reranker, first_stage, [name], layout)


def _candidates(dataset: Dataset, depth: int) -> list[CandidateList]:
    lists = []
    for query in dataset.queries:
        scores = _scores(dataset, query, "first-stage", dataset.corpus)
        best = sorted(scores, key=lambda document: -scores[document])[:depth]
        lists.append(CandidateList(query, tuple(Candidate(dataset.corpus[d], scores[d]) for d in best)))
    return lists


def _scores(dataset: Dataset, query: str, system: str, documents: Sequence[str]) -> dict[str, float]:
    origin = dataset.id.split("-")[0]
    rng = random.Random(f"{origin} {query} {system}")
    noise = {document: rng.gauss(0, _NOISE[system]) for document in dataset.corpus}
    return {d: dataset.qrels[query].get(d, 0) + noise[d] for d in documents}


def _ranking(dataset: Dataset, candidates: CandidateList, reranker: str) -> Ranking:
    order = tuple(range(len(candidates)))
    if reranker != "first-stage":
        scores = list(_scores(dataset, candidates.query_id, reranker, candidates.document_ids).values())
        order = tuple(sorted(order, key=lambda position: -scores[position]))
    if reranker == "rankgpt":
        stats = QueryStats(calls=1, prompt_tokens=1650, output_tokens=64, repairs={"missing": 18})
    else:
        prompt = None if reranker in ("first-stage", "rocchio", "query-only") else "Documents:\n[1] ..."
        stats = QueryStats(
            calls=1, prompt_tokens=480, document_tokens=3900, prompt_documents=10, prompt=prompt
        )
    return Ranking(candidates, order, stats)


def _write_latency(configuration: Configuration, layout: Layout, name: str) -> None:
    entry, started = configuration.latency[name], time.time()
    dataset = read_dataset(layout.root / "datasets" / entry.dataset, entry.dataset)
    lists = _candidates(dataset, configuration.depth_of(entry.first_stage))
    both = [(r, mode) for r in entry.rerankers for mode in ("online", "stored")]
    systems = [one for one in both if one != ("rankgpt", "stored")]
    path = layout.path(places.LATENCY, latency=name)
    record = {
        "dataset": entry.dataset, "first_stage": entry.first_stage, "clock": "cpu",
        "queries": min(entry.samples, len(lists)), "rounds": entry.samples, "wanted": entry.samples,
        "budget": 600.0, "timings": [_timing(dataset, lists, entry.samples, *one) for one in systems],
        "sweep": _sweep(entry.sweep, systems) if entry.sweep else [], "skipped": [],
        "load_seconds": 1.25, "peak_memory_bytes": 812_000_000, "device": "A Plain Processor @ 2.00GHz",
        "threads": configuration.threads, "passive_waits": True,
        "busy": "machine busy: load 1.8 on 2 cores" if "rankgpt" in entry.rerankers else None,
    }  # fmt: skip
    write_json(path, record)
    command = f"e2rank-eval latency {name} --config {layout.path(places.CONFIG)}"
    write_manifest(path, command=command, settings={}, inputs=[], started=started)


def _sweep(sweep: CostSweepSettings, systems: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
    """The cost grows with candidates to the power 1.5, by 10 ms a prompt document; batches save a fifth."""
    found: list[dict[str, object]] = []
    for reranker, mode in systems:
        one = _SECONDS[reranker]
        points = [("candidates", n, one * (n / 20) ** 1.5) for n in sweep.candidates]
        if reranker != "rankgpt":
            points += [("prompt_documents", n, one + 0.01 * n) for n in sweep.prompt_documents]
        points += [("batch", n, n * one * (1 if n == 1 else 0.8)) for n in sweep.batch]
        named = {"reranker": reranker, "mode": mode}
        found += [
            named | {"axis": axis, "value": n, "wall": [2 * s] * 2, "cpu": [s] * 2} for axis, n, s in points
        ]
    return found


def _timing(
    dataset: Dataset, lists: Sequence[CandidateList], rounds: int, reranker: str, mode: str
) -> dict[str, object]:
    """Wall-clock seconds are twice the CPU seconds, as beside other work."""
    rng = random.Random(f"{reranker} {mode}")
    samples = []
    for number in range(rounds):
        total = _SECONDS[reranker] * rng.lognormvariate(0, 0.12)
        phases = {"prompt": total}
        if reranker != "rankgpt":
            listwise = 0.002 if reranker in ("query-only", "rocchio") else 0.13 * total
            phases = {"prompt": listwise, "scoring": 0.0004}
            if mode == "online":
                phases["documents"] = total - listwise - 0.0004
        phases["total"] = sum(phases.values())
        ranking = _ranking(dataset, lists[number % len(lists)], reranker)
        samples.append(Sample([ranking], {name: 2 * s for name, s in phases.items()}, phases))
    named = {"reranker": reranker, "mode": mode, "tokenising": 0.05, "flops": 3.5e10, "peak_share": 0.4}
    return named | columns(samples) | mean_tokens(samples)
