# Tables, figures and the site, all made from stored results. Each depends on the results that it shows, and on the
# labels, titles and notes of the configuration.


# One job writes all tables of an entry of the configuration, since they show the same results.
for (section, entry), ids in GRAPH.tables_by_entry.items():

    rule:
        name:
            f"tables-{section}-{entry}"
        input:
            [file for one in ids for file in GRAPH.inputs(GRAPH.tables[one])],
        output:
            [
                report(
                    GRAPH.path(places.TABLE, table=one, suffix="html"),
                    caption="../report/table.rst",
                    category="Tables",
                    labels={"table": one},
                )
                for one in ids
            ],
            [file for file in GRAPH.table_files(ids) if not file.endswith(".html")],
        log:
            f"{GRAPH.root}/logs/tables/{section}/{entry}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/tables/{section}/{entry}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1000,
            runtime=20,
        params:
            config=GRAPH.config,
            tables=ids,
            shown=GRAPH.shown_settings(GRAPH.tables[ids[0]]),
            captions={one: GRAPH.tables[one].kind.caption for one in ids},
        shell:
            "e2rank-eval table {params.tables} --config {params.config} 2>&1 | tee {log}"


rule figure:
    input:
        lambda wildcards: GRAPH.inputs(GRAPH.figures[wildcards.figure]),
    output:
        report(
            GRAPH.path(places.FIGURE, suffix="svg"),
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        [file for file in GRAPH.figure_files(["{figure}"]) if not file.endswith(".svg")],
    log:
        f"{GRAPH.root}/logs/figure/{{figure}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/figure/{{figure}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        config=GRAPH.config,
        shown=lambda wildcards: GRAPH.shown_settings(GRAPH.figures[wildcards.figure]),
        caption=lambda wildcards: GRAPH.figures[wildcards.figure].kind.caption,
    shell:
        "e2rank-eval figure {wildcards.figure} --config {params.config} 2>&1 | tee {log}"


rule site:
    input:
        datasets=GRAPH.dataset_files(
            sorted({d for one in GRAPH.retrievals.values() for d in one})
        ),
        candidates=GRAPH.candidate_files(GRAPH.retrievals),
        runs=GRAPH.run_files(places.RUN, GRAPH.rerankings),
        statistics=GRAPH.run_files(places.STATISTICS, GRAPH.rerankings),
        metrics=GRAPH.run_files(places.METRICS, GRAPH.rerankings),
        comparisons=GRAPH.comparison_files(),
        latency=GRAPH.latency_files(),
        tables=GRAPH.table_files(GRAPH.tables),
        figures=GRAPH.figure_files(GRAPH.figures),
    output:
        index=report(
            GRAPH.path(places.SITE), caption="../report/site.rst", category="Site"
        ),
    log:
        f"{GRAPH.root}/logs/site.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/site.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        config=GRAPH.config,
        shown=GRAPH.values,
    shell:
        "e2rank-eval site --config {params.config} 2>&1 | tee {log}"
