# Tables, figures and the site, all from stored results.


rule table:
    input:
        comparisons=COMPARISON_FILES,
        metrics=METRIC_FILES,
        latency=LATENCY_FILES,
    output:
        report(
            results(places.TABLE, suffix="html"),
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        [results(places.TABLE, suffix=suffix) for suffix in TABLE_SUFFIXES if suffix != "html"],
    params:
        config=CONFIG_FILE,
    log:
        f"{ROOT}/logs/table/{{table}}.log",
    benchmark:
        f"{ROOT}/benchmarks/table/{{table}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    conda:
        ENVIRONMENT
    shell:
        "e2rank-eval table {wildcards.table} --config {params.config} 2>&1 | tee {log}"


rule figure:
    input:
        comparisons=COMPARISON_FILES,
        metrics=METRIC_FILES,
        latency=LATENCY_FILES,
    output:
        report(
            results(places.FIGURE, suffix="svg"),
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        [results(places.FIGURE, suffix=suffix) for suffix in FIGURE_SUFFIXES if suffix != "svg"],
    params:
        config=CONFIG_FILE,
    log:
        f"{ROOT}/logs/figure/{{figure}}.log",
    benchmark:
        f"{ROOT}/benchmarks/figure/{{figure}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    conda:
        ENVIRONMENT
    shell:
        "e2rank-eval figure {wildcards.figure} --config {params.config} 2>&1 | tee {log}"


rule site:
    input:
        datasets=DATASET_FILES,
        runs=RUN_FILES,
        metrics=METRIC_FILES,
        comparisons=COMPARISON_FILES,
        latency=LATENCY_FILES,
        tables=TABLE_FILES,
        figures=FIGURE_FILES,
    output:
        index=report(results(places.SITE), caption="../report/site.rst", category="Site"),
    params:
        config=CONFIG_FILE,
    log:
        f"{ROOT}/logs/site.log",
    benchmark:
        f"{ROOT}/benchmarks/site.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    conda:
        ENVIRONMENT
    shell:
        "e2rank-eval site --config {params.config} 2>&1 | tee {log}"
