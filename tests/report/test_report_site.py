"""The site is whole, links hold, texts stay texts, and closed collections stay closed."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from report.results_tree import INJECTION, SECRET

from e2rank_eval.errors import InputError
from e2rank_eval.report.collect import open_results
from e2rank_eval.report.site import write_site
from e2rank_eval.store import layout as places
from e2rank_eval.store.layout import Layout


class _Page(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if attributes.get("id"):
            self.ids.append(str(attributes["id"]))

    def links(self) -> list[str]:
        return [str(a["href"]) for tag, a in self.elements if tag == "a"]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Page]:
    return {path.resolve(): _Page(path) for path in site.rglob("*.html")}


def test_there_is_a_page_for_every_run_and_comparison(site: Path, results_layout: Layout) -> None:
    results = open_results(results_layout.root)
    for dataset, first_stage, reranker in results.run_keys():
        assert (site / "runs" / dataset / first_stage / f"{reranker}.html").exists()
    for name in results.configuration.comparisons:
        assert (site / "comparisons" / f"{name}.html").exists()


def test_every_link_leads_to_a_file_and_a_place_in_it(pages: dict[Path, _Page]) -> None:
    for path, page in pages.items():
        for link in page.links():
            parts = urlsplit(link)
            assert not parts.scheme, link
            assert not parts.netloc, link
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name} -> {link}"
            if parts.fragment:
                assert parts.fragment in pages[target].ids, f"{path.name} -> {link}"


def test_nothing_is_loaded_from_anywhere(pages: dict[Path, _Page]) -> None:
    for page in pages.values():
        for tag, attributes in page.elements:
            assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
            assert "src" not in attributes
            assert not any(name.startswith("on") for name in attributes)


def test_ids_are_used_once_in_a_page(pages: dict[Path, _Page]) -> None:
    for path, page in pages.items():
        repeated = {identifier for identifier in page.ids if page.ids.count(identifier) > 1}
        assert not repeated, path


def test_pages_have_a_language_a_title_one_first_heading_and_a_way_past_the_header(
    pages: dict[Path, _Page],
) -> None:
    for page in pages.values():
        tags = [tag for tag, _ in page.elements]
        assert ("html", {"lang": "en"}) in page.elements
        assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
        assert page.links()[0] == "#content"
        levels = [int(tag[1]) for tag in tags if tag in ("h1", "h2", "h3", "h4")]
        assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_texts_of_closed_collections_appear_nowhere(site: Path) -> None:
    for path in site.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def test_a_hostile_query_is_shown_as_text(site: Path) -> None:
    page = (site / "runs/code/bm25/e2rank.html").read_text(encoding="utf-8")
    assert INJECTION not in page
    assert "&lt;script&gt;document.title = &#39;injected&#39;&lt;/script&gt;" in page
    assert page.count("<script>") == 1


def test_a_run_page_holds_its_commands_hashes_and_queries(site: Path, results_layout: Layout) -> None:
    results = open_results(results_layout.root)
    key = ("code", "bm25", "e2rank")
    page = (site / "runs/code/bm25/e2rank.html").read_text(encoding="utf-8")
    for pattern in (places.RUN, places.METRICS, places.LATENCY):
        manifest = results.manifest(results.path(pattern, key))
        assert manifest.command.replace("&", "&amp;") in page
        assert manifest.sha256 in page
    before, after = results.first_stage("code", "bm25"), results.metrics(key).per_query["nDCG@10"]
    for query in after:
        assert f'data-value="{100 * before[query]!r}"' in page
        assert f'data-value="{100 * after[query]!r}"' in page


def test_untrained_stands_on_the_page_of_each_such_run_and_on_no_other(site: Path) -> None:
    for name, expected in (("e2rank", True), ("query-only", False), ("rocchio", False)):
        page = (site / f"runs/code/bm25/{name}.html").read_text(encoding="utf-8")
        assert ("never trained for E2Rank" in page) is expected, name


def test_writing_again_gives_the_same_bytes_and_leaves_no_page_of_old(
    site: Path, copied_layout: Layout
) -> None:
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
