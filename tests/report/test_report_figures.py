"""Figures show the stored data, have reproducible bytes, and have labels that overlap nothing."""

from __future__ import annotations

import csv
import io
import re
import shutil
import statistics
import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest
from matplotlib.text import Text

from e2rank_eval.config.measurements import PaperFigure
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.comparison import compare
from e2rank_eval.evaluation.samples import FEW
from e2rank_eval.evaluation.significance import bootstrap_interval, mean
from e2rank_eval.report.collect import Results, open_results
from e2rank_eval.report.drawing import forms, image_bytes, inline_svg, new_figure, style
from e2rank_eval.report.figures import FIGURES, gains
from e2rank_eval.report.figures.gains import by_position, by_relevant, query_gains
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.results import MACRO, write_record


def _data(stored: Results, identifier: str) -> list[dict[str, str]]:
    written = forms(FIGURES.build(stored, identifier))["csv"].decode()
    return list(csv.DictReader(io.StringIO(written)))


@pytest.mark.parametrize("width", [5.0, 7.2, 8.6])
def test_a_long_title_stays_within_its_figure(width: float) -> None:
    title = "nDCG@10 by number of prompt documents, BM25 top 100, E2Rank (MiniLM) " * 2
    with style():
        figure = new_figure(width, 3.5, title)
        figure.canvas.draw()
        (drawn,) = (text for text in figure.findobj(Text) if text.get_text().startswith("nDCG@10"))
        assert drawn.get_window_extent().x1 <= figure.bbox.x1


def test_equal_changes_have_bars_of_no_length(stored: Results) -> None:
    """The ends of the interval of equal values can be on the wrong side of their mean by rounding."""
    changes = [[12.7] * 6, [0.1] * 6, [0.1] * 7]
    rows = [
        ("e2rank", f"{group}", len(one), mean([one]), *bootstrap_interval([one], seed=13))
        for group, one in enumerate(changes)
    ]
    assert any(low > change or high < change for *_, change, low, high in rows)
    frame = pd.DataFrame(rows, columns=["reranker", "group", "queries", "change", "low", "high"])
    gains._draw(new_figure(5, 3, "t").subplots(), frame, {"e2rank": "E2Rank"}, list(frame["group"]))


@pytest.mark.slow
def test_every_figure_is_written_in_three_forms_of_repeatable_bytes(copied_layout: Layout) -> None:
    configuration = open_results(copied_layout.root).configuration
    for identifier in FIGURES.shown(configuration):
        paths = FIGURES.write(copied_layout, configuration, identifier)
        assert sorted(path.suffix for path in paths) == [".csv", ".png", ".svg"]
        first = [path.read_bytes() for path in paths]
        again = FIGURES.write(copied_layout, configuration, identifier)
        assert [path.read_bytes() for path in again] == first
        assert b"dc:date" not in b"".join(first)


def test_the_frontier_shows_both_modes_at_the_stored_quality(stored: Results) -> None:
    rows = _data(stored, "frontier-one-base-model")
    assert [(row["reranker"], row["documents"]) for row in rows] == [
        ("e2rank", "online"), ("e2rank", "stored"),
        ("e2rank-smollm2", "online"), ("e2rank-smollm2", "stored"), ("rankgpt", "online"),
    ]  # fmt: skip
    for row in rows:
        metrics = stored.metrics(("code-8", "bm25-20", row["reranker"]))
        assert float(row["ndcg10"]) == pytest.approx(100 * metrics.mean["nDCG@10"], abs=1e-5)
        (timing,) = (
            one
            for one in stored.latency("one-base-model").timings
            if (one.reranker, one.mode) == (row["reranker"], row["documents"])
        )
        assert float(row["p50_seconds"]) == pytest.approx(statistics.median(timing.cpu["total"]), abs=1e-6)
        assert (row["queries"], row["withheld"]) == ("8", "")


def test_the_mean_frontier_is_of_one_latency_entry_for_each_collection(copied_layout: Layout) -> None:
    results = open_results(copied_layout.root)
    configuration = results.configuration
    slower = read_json(copied_layout.path(places.LATENCY, latency="minilm")) | {"dataset": "news"}
    for timing in slower["timings"]:
        timing["cpu"]["total"] = [3 * seconds for seconds in timing["cpu"]["total"]]
    write_json(copied_layout.path(places.LATENCY, latency="news"), slower)
    news = configuration.latency["minilm"].model_copy(update={"dataset": "news"})
    figure = PaperFigure.model_validate({"figure": "mean-frontier", "of": "embedded"})
    changed = {"latency": configuration.latency | {"news": news}, "figures": {"frontier": figure}}
    results = Results(copied_layout, configuration.model_copy(update=changed))
    rows = _data(results, "frontier")
    read = {path.relative_to(copied_layout.root).as_posix() for path in results.files_read}
    assert read == set(FIGURES.shown(results.configuration)["frontier"].inputs(results.configuration))
    assert {row["reranker"] for row in rows} == {"query-only", "rocchio", "e2rank"}
    single = {(row["reranker"], row["documents"]): row for row in _data(results, "frontier-minilm")}
    macro = {row.reranker: row for row in results.comparison("embedded").systems if row.dataset == MACRO}
    for row in rows:
        one = single[row["reranker"], row["documents"]]
        assert float(row["p50_seconds"]) == pytest.approx(2 * float(one["p50_seconds"]), abs=1e-5)
        assert float(row["ndcg10"]) == pytest.approx(100 * macro[row["reranker"]].mean, abs=1e-5)
    without = configuration.model_copy(update={"figures": {"frontier": figure}})
    with pytest.raises(InputError, match="0 latency entries time news/bm25"):
        FIGURES.shown(without)["frontier"].inputs(without)


def test_collections_of_one_column_share_its_weight_in_the_mean_frontier(copied_layout: Layout) -> None:
    results = open_results(copied_layout.root)
    configuration, names = results.configuration, ("news", "code", "code-8")
    for pattern in (places.METRICS, places.CANDIDATES):
        for reranker in ("first-stage", "query-only", "rocchio", "e2rank"):
            stored = copied_layout.run_path(pattern, ("code", "bm25", reranker))
            target = copied_layout.run_path(pattern, ("code-8", "bm25", reranker))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(stored, target)
    latency = {}
    for name, factor in zip(names, (3, 1, 6), strict=True):
        slower = read_json(copied_layout.path(places.LATENCY, latency="minilm")) | {"dataset": name}
        for timing in slower["timings"]:
            timing["cpu"]["total"] = [factor * seconds for seconds in timing["cpu"]["total"]]
        write_json(copied_layout.path(places.LATENCY, latency=f"on-{name}"), slower)
        latency[f"on-{name}"] = configuration.latency["minilm"].model_copy(update={"dataset": name})
    columns = {"both": ["news", "code"], "code-8": ["code-8"]}
    values = {(d, r): {"q1": 0.5, "q2": 0.25} for d in names for r in ("query-only", "rocchio", "e2rank")}
    means = compare(values, title="", baselines=["query-only"], seed=1, first_stage="bm25", columns=columns)
    write_record(copied_layout.path(places.COMPARISON, comparison="embedded"), means)
    grouped = configuration.comparisons["embedded"].model_copy(update={"datasets": list(names)})
    figure = PaperFigure.model_validate({"figure": "mean-frontier", "of": "embedded"})
    changed = {
        "latency": latency, "figures": {"frontier": figure},
        "comparisons": configuration.comparisons | {"embedded": grouped},
    }  # fmt: skip
    found = FIGURES.build(Results(copied_layout, configuration.model_copy(update=changed)), "frontier")
    assert "mean of 2 collections" in found.title
    for row in found.data.itertuples():
        (one,) = (
            timing
            for timing in results.latency("minilm").timings
            if (timing.reranker, timing.mode) == (row.reranker, row.documents)
        )
        assert row.p50_seconds == pytest.approx(4 * statistics.median(one.cpu["total"]))


def test_wins_are_sorted_and_agree_with_the_tests(stored: Results) -> None:
    rows = _data(stored, "wins-embedded")
    comparison = stored.comparison("embedded")
    for test in comparison.tests:
        if test.baseline != "first-stage" or test.dataset not in comparison.datasets:
            continue
        panel = (test.dataset, test.reranker)
        ours = [float(row["difference"]) for row in rows if (row["dataset"], row["reranker"]) == panel]
        assert ours == sorted(ours, reverse=True)
        assert (sum(d > 0 for d in ours), sum(d < 0 for d in ours)) == (test.wins, test.losses)


def test_the_sweep_runs_along_the_number_of_prompt_documents(stored: Results) -> None:
    rows = [row for row in _data(stored, "prompt-documents") if row["dataset"] == "code"]
    assert [int(row["prompt_documents"]) for row in rows] == [0, 1, 3, 10, 20]
    for row in rows:
        assert float(row["low"]) < float(row["ndcg10"]) < float(row["high"])


def test_gains_are_the_differences_of_the_runs_by_thirds_and_by_position(stored: Results) -> None:
    ours, theirs = (
        stored.metrics(("code", "bm25", name)).per_query["nDCG@10"] for name in ("e2rank", "first-stage")
    )
    rows = [
        r for r in _data(stored, "gain-by-difficulty") if (r["dataset"], r["reranker"]) == ("code", "e2rank")
    ]
    ordered = sorted(theirs, key=lambda query: (theirs[query], query))
    for row, third in zip(rows, (ordered[:10], ordered[10:20], ordered[20:]), strict=True):
        changes = [100 * (ours[query] - theirs[query]) for query in third]
        assert float(row["change"]) == pytest.approx(sum(changes) / len(changes), abs=1e-5)
        assert float(row["low"]) <= float(row["change"]) <= float(row["high"])
    frame, base = (query_gains(stored, ("code", "bm25", name), 10) for name in ("e2rank", "first-stage"))
    everything = query_gains(stored, ("code", "bm25", "e2rank"), 30)
    assert list(everything["first"]) == pytest.approx(list(everything["quality"]))
    parts = by_position(frame, base, 10)
    assert list(parts["first 10"] + parts["below"]) == pytest.approx(list(frame["quality"] - base["quality"]))
    groups = by_relevant(frame, base, 10)
    assert sorted(query for group in groups.values() for query in group.index) == sorted(ours)
    assert set(frame["relevant"][groups["2 to 4"].index]) <= {2, 3, 4}


def test_growth_is_the_median_along_every_depth(stored: Results) -> None:
    rows = _data(stored, "growth-one-base-model")
    candidates = [row for row in rows if row["axis"] == "candidates"]
    curves = [("e2rank", "online"), ("e2rank", "stored"), ("e2rank-smollm2", "online"),
              ("e2rank-smollm2", "stored"), ("rankgpt", "online")]  # fmt: skip
    assert [(row["reranker"], row["documents"]) for row in candidates[::3]] == curves
    assert [int(row["value"]) for row in candidates[:3]] == [5, 10, 20]
    times = [float(row["cpu"]) for row in candidates[:3]]
    assert times == pytest.approx([times[2] / 8, times[2] / 8**0.5, times[2]], rel=1e-4)
    prompt = [row for row in rows if row["axis"] == "prompt_documents"]
    assert {row["reranker"] for row in prompt} == {"e2rank", "e2rank-smollm2"}


def test_figures_say_untrained_where_a_system_is(stored: Results) -> None:
    for identifier in FIGURES.shown(stored.configuration):
        text = image_bytes(FIGURES.build(stored, identifier), "svg").decode()
        assert "untrained" in text, identifier


def test_labels_are_text_never_formulas(copied_layout: Layout) -> None:
    path = copied_layout.path(places.CONFIG)
    path.write_text(path.read_text().replace("RankGPT-style", "$x_1$ <b>&"))
    drawing = FIGURES.build(open_results(copied_layout.root), "frontier-one-base-model")
    root = ElementTree.fromstring(image_bytes(drawing, "svg"))
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "$x_1$ <b>& (SmolLM2-135M)" in texts


@pytest.mark.parametrize("pairs", [1, 12])
def test_equal_times_are_drawn_and_times_without_enough_pairs_named(
    copied_layout: Layout, pairs: int
) -> None:
    path = copied_layout.path(places.LATENCY, latency="one-base-model")
    stored = read_json(path)
    for timing in stored["timings"]:
        timing["cpu"]["total"] = timing["wall"]["total"] = pairs * [0.25]
    write_json(path, stored)
    drawing = FIGURES.build(open_results(copied_layout.root), "frontier-one-base-model")
    assert set(drawing.data["p50_seconds"]) == {0.25}
    assert set(drawing.data["withheld"]) == {FEW if pairs == 1 else ""}
    assert (FEW in image_bytes(drawing, "svg").decode()) == (pairs == 1)


def test_inlined_figures_share_no_ids_and_take_the_pages_colours(copied_layout: Layout) -> None:
    configuration = open_results(copied_layout.root).configuration
    pages = []
    for identifier in ("wins-embedded", "frontier-minilm"):
        FIGURES.write(copied_layout, configuration, identifier)
        path = copied_layout.path(places.FIGURE, figure=identifier, suffix="svg")
        pages.append(ElementTree.fromstring(str(inline_svg(path, identifier, "a & b"))))
    ids = [{element.get("id") for element in page.iter() if element.get("id")} for page in pages]
    assert ids[0]
    assert not ids[0] & ids[1]
    for page, known in zip(pages, ids, strict=True):
        text = ElementTree.tostring(page, encoding="unicode")
        references = re.findall(r'(?:href="|url\()#([^")]+)', text)
        assert references
        assert set(references) <= known
        assert "var(--ink)" in text
        assert page.get("aria-label") == "a & b"
