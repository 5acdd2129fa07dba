# The paper's tables and figures, and analyses beyond them: `snakemake table1`, `snakemake figure2`, or
# `snakemake paper` for all. A table asks for what this machine can make and shows what the rest needs.


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
        "e2rank-eval reproduce {wildcards.run} --metrics {output.metrics} --cache {params.cache} 2>&1 | tee {log}"


for artefact in CONFIG.artefacts:

    rule:
        name:
            artefact
        input:
            GRAPH.artefacts.inputs(artefact),
        output:
            GRAPH.artefacts.files(artefact),
        log:
            f"{GRAPH.root}/logs/paper/{artefact}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/paper/{artefact}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            config=GRAPH.config,
            artefact=artefact,
            verb="figure" if artefact in GRAPH.drawn else "table",
            shown=GRAPH.values,
        shell:
            "e2rank-eval {params.verb} {params.artefact} --config {params.config} 2>&1 | tee {log}"


rule paper:
    input:
        [
            file
            for artefact in GRAPH.artefacts.shown.artefacts
            for file in GRAPH.artefacts.files(artefact)
        ],
