"""Tables show the stored values, numbers of queries, significance, and every limitation."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import ComparisonSettings
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.comparison import write_comparison
from e2rank_eval.evaluation.samples import BUSY, ERROR, FEW
from e2rank_eval.models.registry import Prices
from e2rank_eval.report.collect import Results, open_results
from e2rank_eval.report.table import Cell, Column, Mark, Table, ranked, text_of
from e2rank_eval.report.tables import TABLES
from e2rank_eval.report.tables.comparison import GAP
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import manifest_path
from e2rank_eval.store.trec import read_qrels


def _rows(table: Table) -> dict[str, tuple[Cell, ...]]:
    return {str(row[0].value): row for row in table.rows}


def test_values_are_the_stored_means_with_two_decimals(stored: Results) -> None:
    table = TABLES.build(stored, "embedded")
    row = _rows(table)["Rocchio top 3 (MiniLM)"]
    means = []
    for cell, dataset in zip(row[1:], ("news", "code"), strict=False):
        per_query = stored.metrics((dataset, "bm25", "rocchio")).per_query["nDCG@10"]
        means.append(statistics.fmean(per_query.values()))
        assert text_of(cell, "score") == f"{100 * means[-1]:.2f}"
        assert cell.interval is not None
        assert cell.interval[0] < 100 * means[-1] < cell.interval[1]
    assert text_of(row[3], "score") == f"{100 * statistics.fmean(means):.2f}"


def test_no_mean_is_printed_without_its_number_of_queries(stored: Results) -> None:
    queries = {
        name: len(read_qrels(stored.layout.path(places.QRELS, dataset=name))) for name in ("news", "code")
    }
    columns = TABLES.build(stored, "embedded").columns
    wanted = [None, queries["news"], queries["code"], sum(queries.values()), None]
    assert [column.queries for column in columns] == wanted
    for identifier in TABLES.shown(stored.configuration):
        table = TABLES.build(stored, identifier)
        of_tasks = identifier.startswith("mteb-")  # mteb's own scores, whose means say of how many tasks
        if of_tasks or {column.heading for column in table.columns} & {"queries", "samples"}:
            continue
        for place, column in enumerate(table.columns):
            if column.kind in ("score", "difference", "milliseconds", "rate"):
                own = [row[place].value for row in table.rows if row[1].value != "published"]
                assert column.queries or set(own) <= {None}, (identifier, column.heading)


def test_marks_are_exactly_the_significant_tests_and_tell_the_direction(copied_layout: Layout) -> None:
    path = copied_layout.path(places.COMPARISON, comparison="embedded")
    stored = read_json(path)
    for test in stored["tests"]:
        if (test["dataset"], test["reranker"], test["baseline"]) == ("news", "rocchio", "query-only"):
            test |= {"difference": -0.02, "p_holm": 0.0499}
        if (test["dataset"], test["reranker"], test["baseline"]) == ("code", "rocchio", "query-only"):
            test |= {"difference": -0.02, "p_holm": 0.05, "p_randomisation": 0.001}
    write_json(path, stored)
    rows = _rows(TABLES.build(open_results(copied_layout.root), "embedded"))
    assert rows["Rocchio top 3 (MiniLM)"][1].marks == (Mark("a", True), Mark("b", False))
    assert rows["Rocchio top 3 (MiniLM)"][2].marks == (Mark("a", True),)
    assert [rows[name][0].letter for name in ("no reranking", "query only (MiniLM)")] == ["a", "b"]


def test_too_few_queries_are_reported_instead_of_tested(copied_layout: Layout) -> None:
    path = copied_layout.path(places.COMPARISON, comparison="one-base-model")
    stored = read_json(path)
    for test in stored["tests"]:
        test |= {"p_holm": None, "p_randomisation": None, "p_t": None, "queries": 5}
    write_json(path, stored)
    results = open_results(copied_layout.root)
    table = TABLES.build(results, "one-base-model")
    assert "No test on code-8: too few queries." in table.notes
    assert not any(cell.marks for row in table.rows for cell in row)
    assert not any("randomisation" in note for note in table.notes)
    assert {text_of(row[6], "p") for row in TABLES.build(results, "one-base-model-tests").rows} == {"–"}


def test_untrained_is_said_of_listwise_prompts_only(stored: Results) -> None:
    for identifier, position in (("embedded", 0), ("embedded-measures", 1), ("embedded-tests", 1),
                                 ("latency-minilm", 0), ("latency-minilm-phases", 0)):  # fmt: skip
        table = TABLES.build(stored, identifier)
        tags = {str(row[position].value): row[position].tags for row in table.rows}
        assert tags["E2Rank residual (MiniLM)"] == ("untrained",), identifier
        assert tags["query only (MiniLM)"] == () == tags["Rocchio top 3 (MiniLM)"], identifier


def test_repairs_failures_and_missing_queries_are_never_hidden(copied_layout: Layout) -> None:
    path = copied_layout.path(places.METRICS, dataset="code-8", first_stage="bm25-20", reranker="rankgpt")
    stored = read_json(path)
    stored["failed"], stored["queries"]["unanswered"] = ["q<i>1"], ["q<i>2", "q<i>3"]
    write_json(path, stored)
    notes = TABLES.build(open_results(copied_layout.root), "one-base-model").notes
    name = "RankGPT-style (SmolLM2-135M) on code-8"
    assert f"{name}: malformed output repaired for 8 of 8 queries (missing 144)." in notes
    assert f"{name}: 1 queries failed and kept first-stage order." in notes
    assert f"{name}: 2 queries missing from the run, counted as 0." in notes


def test_a_query_that_all_systems_lack_is_noted_once(copied_layout: Layout) -> None:
    for reranker in open_results(copied_layout.root).configuration.comparisons["embedded"].rerankers:
        path = copied_layout.path(places.METRICS, dataset="code", first_stage="bm25", reranker=reranker)
        stored = read_json(path)
        stored["queries"]["unanswered"] = ["q1"]
        write_json(path, stored)
    notes = TABLES.build(open_results(copied_layout.root), "embedded").notes
    assert [note for note in notes if "missing" in note] == [
        "Every system on code: 1 queries missing from the run, counted as 0."
    ]


def test_percentiles_need_their_samples_and_a_note_says_so(stored: Results) -> None:
    few, enough = TABLES.build(stored, "latency-one-base-model"), TABLES.build(stored, "latency-minilm")
    headings = [column.heading for column in few.columns]
    p50, p90, p99 = (headings.index(f"p{p} ms") for p in (50, 90, 99))
    assert all(row[p50].value and row[p90].value is None for row in few.rows)
    assert all(row[p90].value and row[p99].value is None for row in enough.rows)
    assert "p90 is given for at least 20 samples, p99 for at least 100." in few.notes


def test_times_are_the_samples_and_a_speed_up_is_the_median_of_paired_ratios(stored: Results) -> None:
    table = TABLES.build(stored, "latency-one-base-model")
    headings = [column.heading for column in table.columns]
    p50, cpu, ratio = (headings.index(name) for name in ("p50 ms", "CPU p50 ms", "speed-up"))
    timings = stored.latency("one-base-model").timings
    for row, timing in zip(table.rows, timings, strict=True):
        for place, seconds in ((p50, timing.wall["total"]), (cpu, timing.cpu["total"])):
            assert row[place].value == pytest.approx(1000 * statistics.median(seconds))
    slowest = table.rows[-1]
    assert (slowest[0].value, slowest[ratio].value) == ("RankGPT-style (SmolLM2-135M)", 1.0)
    pairs = zip(timings[-1].cpu["total"], timings[0].cpu["total"], strict=True)
    first = table.rows[0][ratio]
    assert first.value == pytest.approx(statistics.median(one / other for one, other in pairs))
    assert first.interval is not None
    assert first.interval[0] < float(first.value or 0) < first.interval[1]
    assert "Conditions: machine busy: load 1.8 on 2 cores." in table.notes


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        ([0.1, 0.9, 0.2, 0.8] * 3, BUSY),
        ([30.0] * 12, ERROR),
        ([0.1] * 7, FEW),
    ],
    ids=["spread", "stored above online", "few"],
)
def test_a_ratio_that_is_not_known_is_not_printed(
    copied_layout: Layout, seconds: list[float], shown: str
) -> None:
    path = copied_layout.path(places.LATENCY, latency="one-base-model")
    latency = read_json(path)
    for timing in latency["timings"]:
        for clock in ("wall", "cpu"):
            timing[clock] = {name: values[: len(seconds)] for name, values in timing[clock].items()}
    latency["timings"][1]["cpu"]["total"] = seconds
    latency |= {"rounds": len(seconds), "skipped": ["batch 4"], "budget": 60}
    write_json(path, latency)
    table = TABLES.build(open_results(copied_layout.root), "latency-one-base-model")
    place = [column.heading for column in table.columns].index("speed-up")
    assert table.rows[1][place].value == shown
    error = "Measurement error: E2Rank residual (MiniLM), untrained took longer with stored vectors"
    assert any(note.startswith(error) for note in table.notes) == (shown == ERROR)
    assert "Not reached within 60 s: batch 4." in table.notes
    short = f"{len(seconds)} rounds over 8 queries, of 12 configured, within the budget of 60 s."
    assert (short in table.notes) == (len(seconds) < 12)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_the_best_is_what_a_reader_sees_as_the_best(values: list[float]) -> None:
    rows = tuple((Cell("s"), Cell(value)) for value in values)
    table = ranked(Table("t", "t", (Column("s", "text"), Column("v", "score", 3, ranked=True)), rows))
    printed = [float(text_of(row[1], "score")) for row in table.rows]
    best = [shown for row, shown in zip(table.rows, printed, strict=True) if row[1].rank == "best"]
    second = [shown for row, shown in zip(table.rows, printed, strict=True) if row[1].rank == "second"]
    levels = sorted(set(printed), reverse=True)
    if len(levels) == 1:
        assert not best
        assert not second
    else:
        assert best == [levels[0]] * printed.count(levels[0])
        assert second == [levels[1]] * printed.count(levels[1])


def test_best_values_are_found_within_each_collection(stored: Results) -> None:
    table = TABLES.build(stored, "embedded-measures")
    position = [column.heading for column in table.columns].index("RR@10")
    for dataset in ("news", "code"):
        cells = [row[position] for row in table.rows if row[0].value == dataset]
        assert max(cells, key=lambda cell: float(cell.value or 0)).rank == "best"
    judged = [column.heading for column in table.columns].index("Judged@10")
    assert {row[judged].rank for row in table.rows} == {None}


def test_a_group_of_data_sets_is_one_column(copied_layout: Layout) -> None:
    results = open_results(copied_layout.root)
    whole = TABLES.build(results, "embedded")
    entry = results.configuration.comparisons["embedded"].model_dump() | {"groups": {"both": "*"}}
    comparisons = {**results.configuration.comparisons, "embedded": ComparisonSettings.model_validate(entry)}
    configuration = results.configuration.model_copy(update={"comparisons": comparisons})
    write_comparison(configuration, "embedded", copied_layout)
    grouped = TABLES.build(Results(copied_layout, configuration), "embedded")
    assert [column.heading for column in grouped.columns] == ["system", "both (mean of 2)", GAP]
    assert [row[1].value for row in grouped.rows] == pytest.approx([row[3].value for row in whole.rows])


def _with_published(stored: Results, **changed: object) -> Results:
    rows = {"table": "1", "systems": ["BM25", "E2Rank-8B"], "columns": {"news": "dl19", "code": "scifact"}}
    comparisons = dict(stored.configuration.comparisons)
    entry = comparisons["embedded"].model_dump() | {"published": rows | changed}
    comparisons["embedded"] = ComparisonSettings.model_validate(entry)
    return Results(stored.layout, stored.configuration.model_copy(update={"comparisons": comparisons}))


def test_published_rows_stand_below_ours_and_say_where_candidates_differ(stored: Results) -> None:
    table = TABLES.build(_with_published(stored, other_candidates=["code"]), "embedded")
    row = table.rows[-1]
    assert (row[0].value, row[0].tags) == ("E2Rank-8B", ("published",))
    assert [text_of(cell, "score") for cell in row[1:]] == ["72.95", "77.49", "75.22", "–"]
    assert [cell.tags for cell in row[1:]] == [(), ("other candidates",), (), ()]
    assert not any(cell.rank for shown in table.rows[-3:] for cell in shown)
    partial = TABLES.build(_with_published(stored, columns={"news": "dl19"}), "embedded").rows[-1]
    assert [text_of(cell, "score") for cell in partial[1:]] == ["72.95", "–", "–", "–"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"systems": ["E2Rank-9B"]}, "unknown row of the paper's table 1 'E2Rank-9B'"),
        ({"columns": {"news": "dl18"}}, "unknown column of the paper's table 1 'dl18'"),
        ({"table": "99"}, "unknown published table '99'"),
    ],
)
def test_unknown_published_rows_are_reported_before_anything_runs(
    stored: Results, changed: dict[str, object], problem: str
) -> None:
    configuration = _with_published(stored, **changed).configuration
    with pytest.raises(InputError, match=problem):
        TABLES.shown(configuration)["embedded"].inputs(configuration)


def test_gap_closed_is_the_share_of_what_the_best_order_would_gain(stored: Results) -> None:
    table = TABLES.build(stored, "embedded")
    rows = _rows(table)
    first, rocchio, best = (
        rows[name][3].value for name in ("no reranking", "Rocchio top 3 (MiniLM)", "best possible order")
    )
    assert rows["Rocchio top 3 (MiniLM)"][4].value == pytest.approx(100 * (rocchio - first) / (best - first))
    assert (rows["no reranking"][4].value, rows["best possible order"][4].value) == (0, 100)


def test_bm25_has_its_published_value_beside_it(stored: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Configuration, "registry_id", lambda _, dataset: "dl19" if dataset == "news" else None
    )
    table = TABLES.build(stored, "embedded-measures")
    assert [column.heading for column in table.columns][-2:] == ["published nDCG@10", "difference"]
    found = {(row[0].value, row[1].value): [cell.value for cell in row[-2:]] for row in table.rows}
    mean = 100 * stored.metrics(("news", "bm25", "first-stage")).mean["nDCG@10"]
    with_value = {key: values for key, values in found.items() if values != [None, None]}
    assert list(with_value.values()) == [[50.58, pytest.approx(mean - 50.58)]]


def test_a_table_is_written_in_four_forms_of_repeatable_bytes(copied_layout: Layout) -> None:
    configuration = open_results(copied_layout.root).configuration
    paths = TABLES.write(copied_layout, configuration, "embedded")
    assert [path.name for path in paths] == [f"embedded.{s}" for s in ("csv", "md", "tex", "html")]
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in TABLES.write(copied_layout, configuration, "embedded")] == first
    manifest = read_json(manifest_path(paths[0]))
    assert manifest["command"].startswith("e2rank-eval table embedded --config ")
    assert any(name.endswith("comparisons/embedded.json") for name in manifest["inputs"])


def test_the_cost_table_names_the_best_batch_and_the_operations(stored: Results) -> None:
    table = TABLES.build(stored, "latency-one-base-model-cost")
    headings = [column.heading for column in table.columns]
    rows = [dict(zip(headings, (cell.value for cell in row), strict=True)) for row in table.rows]
    seconds = stored.latency("one-base-model").timings[0].cpu["total"]
    assert rows[0]["GFLOP per query"] == pytest.approx(35.0)
    assert rows[0]["GFLOP/s"] == pytest.approx(35.0 / statistics.fmean(seconds))
    assert rows[0]["% of peak"] == pytest.approx(40.0)
    assert {row["best batch"] for row in rows} == {4}
    assert {row["price of 1,000 queries"] for row in rows} == {None}
    unswept = TABLES.build(stored, "latency-minilm-cost")
    assert {row[headings.index("best batch")].value for row in unswept.rows} == {None}


def test_the_price_includes_the_documents_that_a_server_encodes(
    stored: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = Prices(input=2.0, output=8.0, currency="USD")
    monkeypatch.setattr(type(stored.entries), "prices", lambda *_: prices)
    table = TABLES.build(stored, "latency-one-base-model-cost")
    for timing, row in zip(stored.latency("one-base-model").timings, table.rows, strict=True):
        read = timing.prompt_tokens + timing.document_tokens
        assert row[-1].value == f"{(2 * read + 8 * timing.output_tokens) / 1000:.4g} USD"
    assert any(timing.document_tokens for timing in stored.latency("one-base-model").timings)
