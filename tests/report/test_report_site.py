"""The site is complete, its links work, texts are escaped, and texts of closed collections are absent."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markupsafe import escape
from report.pages import Page, extract
from report.results_tree import INJECTION, SECRET

from e2rank_eval.datasets.checks import statistics
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.comparison import compare
from e2rank_eval.records import Dataset
from e2rank_eval.report.collect import Results, open_results
from e2rank_eval.report.site import navigation, write_site
from e2rank_eval.report.site_pages import dataset_tables, finding, mteb_page, paper_page
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import canonical_json
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.results import DatasetDescription, write_record


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_the_papers_tables_and_mteb_stand_on_pages_of_their_own(site: Path) -> None:
    paper = (site / "paper.html").read_text(encoding="utf-8")
    assert "Table 1 of the paper" in paper
    assert "Published values only: " in paper
    assert 'id="figure-gain-by-difficulty"' in paper
    mteb = (site / "mteb.html").read_text(encoding="utf-8")
    assert "ReutersR8Classification" in mteb
    assert "88.00" in mteb
    for path in site.rglob("*.html"):
        navigation = path.read_text(encoding="utf-8").partition("</nav>")[0]
        assert "paper.html" in navigation
        assert "mteb.html" in navigation


def test_a_site_without_them_has_no_such_pages(stored: Results) -> None:
    configuration = stored.configuration.model_copy(update={"tables": {}, "figures": {}, "mteb": {}})
    bare = Results(stored.layout, configuration)
    assert [*paper_page(bare), *mteb_page(bare)] == []
    names = [name for _, name in navigation(configuration)]
    assert names == ["Overview", "Leaderboard"]


def test_every_link_leads_to_a_file_and_a_place_in_it(pages: dict[Path, Page]) -> None:
    linked = set()
    for path, page in pages.items():
        for link in page.all("href", "a"):
            parts = urlsplit(link)
            assert not parts.scheme, link
            assert not parts.netloc, link
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name} -> {link}"
            linked.add(target)
            if parts.fragment:
                assert parts.fragment in pages[target].all("id"), f"{path.name} -> {link}"
    unread = {path for path in pages if "queries" not in path.parts} - linked  # scripts link those
    assert not unread


def test_nothing_is_loaded_from_anywhere(pages: dict[Path, Page]) -> None:
    for page in pages.values():
        for tag, attributes in page.tags:
            assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
            assert "src" not in attributes
            assert not any(name.startswith("on") for name in attributes)


def test_ids_are_used_once_in_a_page(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        ids = page.all("id")
        assert len(set(ids)) == len(ids), path


def test_pages_have_a_language_a_title_one_first_heading_and_a_way_past_the_header(
    pages: dict[Path, Page],
) -> None:
    for page in pages.values():
        tags = [tag for tag, _ in page.tags]
        assert ("html", {"lang": "en"}) in page.tags
        assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
        assert page.all("href", "a")[0] == "#content"
        levels = [int(tag[1]) for tag in tags if tag in ("h1", "h2", "h3", "h4")]
        assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def _contents(folder: Path) -> dict[str, str]:
    """Every file as text by its place, the data that pages embed unpacked behind it."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            data = [extract(text, identifier) for identifier in re.findall(r'gzip" id="([\w-]+)"', text)]
            found[path.relative_to(folder).as_posix()] = text + json.dumps(data, ensure_ascii=False)
    return found


def test_texts_of_closed_collections_appear_nowhere(site: Path) -> None:
    contents = _contents(site)
    assert "find the function that does thing 1" in contents["queries/code/bm25/e2rank/1.html"]
    for place, content in contents.items():
        assert SECRET not in content, place
        assert not re.search(r"document \d+ of news", content), place
        if place.startswith("queries/news"):
            assert "[1] ..." not in content, place


@pytest.mark.slow
def test_a_local_copy_shows_closed_texts_apart_and_says_so_on_every_page(
    site: Path, copied_layout: Layout
) -> None:
    configuration = open_results(copied_layout.root).configuration
    before = _contents(copied_layout.path(places.SITE).parent)
    index = write_site(copied_layout, configuration, local_only=True)
    assert index.parent.name == "site-local-only"
    contents = _contents(index.parent)
    assert all("Local only:" in page for place, page in contents.items() if place.endswith(".html"))
    for place in ("runs/news/bm25/e2rank.html", "queries/news/bm25/e2rank/1.html"):
        assert SECRET in contents[place]
    assert "document 1 of news" in contents["queries/news/bm25/e2rank/1.html"]
    assert "[1] ..." in contents["queries/news/bm25/e2rank/1.html"]
    assert _contents(copied_layout.path(places.SITE).parent) == before
    assert not any("Local only:" in page for page in before.values())


def test_a_hostile_query_is_data_and_no_markup(site: Path) -> None:
    page = (site / "runs/code/bm25/e2rank.html").read_text(encoding="utf-8")
    assert "injected" not in page
    assert any(INJECTION in row for row in extract(page, "queries-data")["rows"])


def test_a_run_page_holds_its_commands_hashes_and_queries(site: Path, results_layout: Layout) -> None:
    results = open_results(results_layout.root)
    key = ("code", "bm25", "e2rank")
    page = (site / "runs/code/bm25/e2rank.html").read_text(encoding="utf-8")
    files = [results.path(pattern, key) for pattern in (places.RUN, places.METRICS)]
    for file in (*files, results_layout.path(places.LATENCY, latency="minilm")):
        manifest = results.manifest(file)
        assert manifest.command.replace("&", "&amp;") in page
        assert manifest.sha256 in page
        assert escape(canonical_json(manifest.settings)) in page
    before, after = results.first_stage("code", "bm25"), results.metrics(key).per_query["nDCG@10"]
    rows = {row[0]: row[2:4] for row in extract(page, "queries-data")["rows"]}
    assert rows.keys() == after.keys()
    for query, shown in rows.items():
        assert shown == pytest.approx([100 * before[query], 100 * after[query]], abs=1e-6)


def test_only_pages_of_untrained_runs_say_so(site: Path) -> None:
    for name, expected in (("e2rank", True), ("query-only", False), ("rocchio", False)):
        page = (site / f"runs/code/bm25/{name}.html").read_text(encoding="utf-8")
        assert ("not trained for this use" in page) is expected, name


@pytest.mark.slow
def test_writing_again_gives_the_same_bytes_and_leaves_no_old_page(site: Path, copied_layout: Layout) -> None:
    configuration = open_results(copied_layout.root).configuration
    index = write_site(copied_layout, configuration)
    first = {p.relative_to(index.parent): p.read_bytes() for p in index.parent.rglob("*") if p.is_file()}
    stale = index.parent / "runs" / "stale.html"
    stale.write_text("old")
    write_site(copied_layout, configuration)
    second = {p.relative_to(index.parent): p.read_bytes() for p in index.parent.rglob("*") if p.is_file()}
    assert not stale.exists()
    volatile = Path("index.html.manifest.json")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] in ([], [volatile])


def test_a_missing_figure_is_named_and_the_old_site_stays(site: Path, copied_layout: Layout) -> None:
    configuration = open_results(copied_layout.root).configuration
    copied_layout.path(places.FIGURE, figure="wins-embedded", suffix="svg").unlink()
    with pytest.raises(InputError, match=r"wins-embedded\.svg: no such file"):
        write_site(copied_layout, configuration)
    assert copied_layout.path(places.SITE).exists()
    assert not list(copied_layout.root.glob(".site*"))


def test_lengths_and_grades_are_those_of_the_collection(lee_dataset: Dataset) -> None:
    found = DatasetDescription(
        id="lee", title="Lee", documents=50, queries=50, judgements=2450, licence="none", show_text=False,
        left_out={}, findings={}, statistics=statistics(lee_dataset),
    )  # fmt: skip
    lengths_table, grades_table, _ = dataset_tables(found)
    lengths = {row[0].value: [cell.value for cell in row[1:]] for row in lengths_table.rows}
    longest = max(len(document.text.split()) for document in lee_dataset.corpus.values())
    assert lengths["words per document"][3] == longest
    assert lengths["tokens per document"][2] > lengths["words per document"][2]
    assert lengths["judgements per query"] == [49, 49, 49, 49]
    assert sum(row[1].value for row in grades_table.rows) == 2450
    assert abs(sum(row[2].value for row in grades_table.rows) - 100) < 1e-9


def test_the_overview_counts_the_columns_that_a_mean_is_over(copied_layout: Layout) -> None:
    results = open_results(copied_layout.root)
    systems = results.configuration.comparisons["embedded"].rerankers
    values = {(d, r): {"q1": 0.5, "q2": 0.25} for d in ("news", "code", "lee") for r in systems}
    grouped = compare(
        values, title="", baselines=systems[:1], seed=1, columns={"both": ["news", "code"], "lee": ["lee"]}
    )
    write_record(copied_layout.path(places.COMPARISON, comparison="embedded"), grouped)
    assert finding(results, "embedded")["where"] == "2 collections"
