# Tables, figures and the site, all from stored results. Labels, titles and notes are of the configuration,
# so that a change there draws them anew.


rule table:
    input:
        comparisons=GRAPH.comparison_files(),
        mteb=GRAPH.mteb_files(),
        metrics=GRAPH.reranking_files(places.METRICS, GRAPH.shown_rerankings),
        latency=GRAPH.latency_files(),
    output:
        report(
            GRAPH.path(places.TABLE, suffix="html"),
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        [
            GRAPH.path(places.TABLE, suffix=suffix)
            for suffix in TABLE_SUFFIXES
            if suffix != "html"
        ],
    log:
        f"{GRAPH.root}/logs/table/{{table}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/table/{{table}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        config=GRAPH.config,
        shown=GRAPH.values,
    shell:
        "e2rank-eval table {wildcards.table} --config {params.config} 2>&1 | tee {log}"


rule figure:
    input:
        comparisons=GRAPH.comparison_files(),
        metrics=GRAPH.reranking_files(places.METRICS, GRAPH.shown_rerankings),
        latency=GRAPH.latency_files(),
    output:
        report(
            GRAPH.path(places.FIGURE, suffix="svg"),
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        [
            GRAPH.path(places.FIGURE, suffix=suffix)
            for suffix in FIGURE_SUFFIXES
            if suffix != "svg"
        ],
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
        shown=GRAPH.values,
    shell:
        "e2rank-eval figure {wildcards.figure} --config {params.config} 2>&1 | tee {log}"


rule site:
    input:
        datasets=GRAPH.dataset_files(GRAPH.retrieved_datasets()),
        candidates=GRAPH.candidate_files(GRAPH.shown_retrievals),
        runs=GRAPH.reranking_files(places.RUN, GRAPH.shown_rerankings),
        statistics=GRAPH.reranking_files(places.STATISTICS, GRAPH.shown_rerankings),
        metrics=GRAPH.reranking_files(places.METRICS, GRAPH.shown_rerankings),
        comparisons=GRAPH.comparison_files(),
        latency=GRAPH.latency_files(),
        tables=GRAPH.table_files(),
        figures=GRAPH.figure_files(),
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
