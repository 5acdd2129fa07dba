"""Commands that write reports from stored results (table, figure, site), and plan, which estimates costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2rank_eval.cli.common import DEMO, PAPER, ConfigOption, JsonOption, app, known, open_configuration, show


@app.command()
def table(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Tables, or numbers of tables in the paper; all by default.")
    ] = None,
    config: ConfigOption = DEMO,
) -> None:
    """Write tables as CSV, Markdown, LaTeX and HTML from stored results.

    A table of the paper is also printed; a missing result is a dash, with the command that makes it.

    Example: e2rank-eval table embedded --config config/demo.yaml

    Example: e2rank-eval table 1 --config config/paper.yaml
    """
    from e2rank_eval.report.tables import TABLES

    names, config = _of_the_paper("table", ids or [], config)
    configuration, layout = open_configuration(config)
    for identifier in names or TABLES.shown(configuration):
        written = TABLES.write(layout, configuration, identifier)
        markdown = next(path for path in written if path.suffix == ".md")
        typer.echo(markdown.read_text("utf-8") if identifier in configuration.tables and names else markdown)


def _of_the_paper(kind: str, ids: list[str], config: Path) -> tuple[list[str], Path]:
    """Return names, with ``1`` as ``table1``, and the configuration: for numbers the paper's by default."""
    names = [f"{kind}{name}" if name[:1].isdigit() else name for name in ids]
    return names, PAPER if names != ids and config == DEMO else config


@app.command()
def figure(
    ids: Annotated[list[str] | None, typer.Argument(help="Figures; all by default.")] = None,
    config: ConfigOption = DEMO,
) -> None:
    """Draw figures as PNG and SVG, with their data as CSV, from stored results.

    Example: e2rank-eval figure frontier-minilm --config config/demo.yaml

    Example: e2rank-eval figure 2 --config config/paper.yaml
    """
    from e2rank_eval.report.figures import FIGURES

    names, config = _of_the_paper("figure", ids or [], config)
    configuration, layout = open_configuration(config)
    for identifier in names or FIGURES.shown(configuration):
        typer.echo(FIGURES.write(layout, configuration, identifier)[0])


@app.command()
def site(
    config: ConfigOption = DEMO,
    local_only: Annotated[
        bool,
        typer.Option("--local-only", help="Include texts that may not be published; do not share this copy."),
    ] = False,
) -> None:
    """Write the report as static HTML pages, which open without a server.

    Example: e2rank-eval site --config config/demo.yaml
    """
    from e2rank_eval.report.site import write_site

    configuration, layout = open_configuration(config)
    typer.echo(write_site(layout, configuration, local_only=local_only))


@app.command()
def plan(
    ids: Annotated[list[str], typer.Argument(help='Tables or figures of the paper; "paper" for all.')],
    config: ConfigOption = PAPER,
    tflops: Annotated[float, typer.Option(min=0.001, help="Peak rate of the device, in TFLOP/s.")] = 312.0,
    utilisation: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Share of the peak rate that is reached.")
    ] = 0.4,
    json: JsonOption = False,
) -> None:
    """Estimate tokens, device hours and disk space that tables need, before anything runs.

    The default rate is the dense bfloat16 peak of an A100; both numbers are assumptions.

    Example: e2rank-eval plan table3 --tflops 989
    """
    from e2rank_eval.cli.printing import print_estimate
    from e2rank_eval.graph.plan import Device
    from e2rank_eval.graph.plan import plan as estimate

    configuration, layout = open_configuration(config)
    shown = [*configuration.tables, *configuration.figures]
    names = shown if ids == ["paper"] else ids
    for name in names:
        known(name, shown, "table or figure", config)
    found = estimate(configuration, names, layout, Device(tflops, utilisation))
    show(found, lambda: print_estimate(", ".join(ids), found), json=json)
