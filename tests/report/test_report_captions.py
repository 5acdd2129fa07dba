"""Captions of the workflow's report render for every table and figure, as text that docutils accepts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from docutils.core import publish_string
from jinja2 import Environment, StrictUndefined

from e2rank_eval.report.collect import Results
from e2rank_eval.report.index import figure_ids, table_ids

FOLDER = Path(__file__).parents[2] / "workflow" / "report"


def _render(name: str, stored: Results, **wildcards: str) -> str:
    config = yaml.safe_load((stored.layout.root / "config.yaml").read_text(encoding="utf-8"))
    job = SimpleNamespace(config=config, wildcards=SimpleNamespace(**wildcards))
    template = Environment(undefined=StrictUndefined).from_string((FOLDER / name).read_text(encoding="utf-8"))
    text = template.render(snakemake=job).strip()
    publish_string(text, writer="null", settings_overrides={"halt_level": 2, "report_level": 5})
    return text


def test_each_kind_of_table_and_figure_has_a_caption_of_its_own(stored: Results) -> None:
    known, declared = stored.configuration, stored.configuration.artefacts  # rules of their own draw these
    tables = {
        i: _render("table.rst", stored, table=i)
        for i in table_ids(known)
        if i.removesuffix("-cells") not in declared
    }
    assert all(tables.values())
    assert len({tables[f"embedded{part}"] for part in ("", "-measures", "-tests")}) == 3
    assert len({tables[f"mteb-local{part}"] for part in ("", "-tasks", "-costs")}) == 3
    assert not any("Milliseconds" in text for name, text in tables.items() if not name.startswith("latency"))
    assert "Reranking BM25 on the embedded collections" in tables["embedded"]
    figures = {
        i.split("-")[0]: _render("figure.rst", stored, figure=i)
        for i in figure_ids(known)
        if i not in declared
    }
    assert len(set(figures.values())) == 4


@pytest.mark.parametrize("name", ["workflow.rst", "site.rst"])
def test_the_overview_and_the_sites_caption_render(stored: Results, name: str) -> None:
    assert _render(name, stored)
