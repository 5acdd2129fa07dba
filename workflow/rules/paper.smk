# Targets for the paper's tables and figures and for further analyses: `snakemake table1`, `snakemake figure2`, or
# `snakemake paper` for all. `datasets` and `systems` of the configuration select the columns and rows to run.


rule published_run:
    output:
        metrics=GRAPH.path(places.PUBLISHED_RUN),
    log:
        f"{GRAPH.root}/logs/published_run/{{run}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/published_run/{{run}}.tsv"
    retries: 2
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        cache=str(CONFIG.cache),
    shell:
        "e2rank-eval reproduce {wildcards.run} --metrics {output.metrics} --cache {params.cache:q} 2>&1 | tee {log}"


for named in [*CONFIG.tables, *CONFIG.figures]:

    rule:
        name:
            named
        input:
            GRAPH.named_files(named),


rule paper:
    input:
        [
            file
            for named in [*CONFIG.tables, *CONFIG.figures]
            for file in GRAPH.named_files(named)
        ],
