"""Verbs that write what people read: table, figure, site."""

from __future__ import annotations

from typing import Annotated

import typer

from e2rank_eval.cli.common import DEMO, ConfigOption, app, known, open_configuration


@app.command()
def table(
    ids: Annotated[list[str] | None, typer.Argument(help="Tables; all by default.")] = None,
    config: ConfigOption = DEMO,
) -> None:
    """Write tables as CSV, Markdown, LaTeX and HTML from stored results.

    Example: e2rank-eval table embedded --config config/demo.yaml
    """
    from e2rank_eval.report.tables import table_ids, write_table

    configuration, layout = open_configuration(config)
    for identifier in ids or table_ids(configuration):
        write_table(layout, configuration, known(identifier, table_ids(configuration), "table", config))


@app.command()
def figure(
    ids: Annotated[list[str] | None, typer.Argument(help="Figures; all by default.")] = None,
    config: ConfigOption = DEMO,
) -> None:
    """Draw figures as PNG and SVG, with their data as CSV, from stored results.

    Example: e2rank-eval figure frontier-minilm --config config/demo.yaml
    """
    from e2rank_eval.report.figures import figure_ids, write_figure

    configuration, layout = open_configuration(config)
    for identifier in ids or figure_ids(configuration):
        write_figure(layout, configuration, known(identifier, figure_ids(configuration), "figure", config))


@app.command()
def site(
    config: ConfigOption = DEMO,
    local_only: Annotated[
        bool, typer.Option("--local-only", help="Show closed texts too, in a copy to be kept to oneself.")
    ] = False,
) -> None:
    """Write the static page tree that opens from disk.

    Example: e2rank-eval site --config config/demo.yaml
    """
    from e2rank_eval.report.site import write_site

    configuration, layout = open_configuration(config)
    typer.echo(write_site(layout, configuration, local_only=local_only))
