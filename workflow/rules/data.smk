# Data sets and models: fetched, checked, and stored in one layout.


rule fetch:
    input:
        origin=lambda wildcards: GRAPH.origin_files(wildcards.dataset),
    output:
        corpus=GRAPH.path(places.CORPUS),
        queries=GRAPH.path(places.QUERIES),
        qrels=GRAPH.path(places.QRELS),
        exclusions=GRAPH.path(places.EXCLUSIONS),
        manifest=GRAPH.path(places.DATASET_MANIFEST),
    log:
        f"{GRAPH.root}/logs/fetch/{{dataset}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/fetch/{{dataset}}.tsv"
    wildcard_constraints:
        dataset="|".join(GRAPH.downloaded()) or "none",
    retries: 2
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=GRAPH.config,
        settings=lambda wildcards: GRAPH.dataset_settings(wildcards.dataset),
    shell:
        "e2rank-eval fetch {wildcards.dataset} --config {params.config} 2>&1 | tee {log}"


# Local data sets are not retried, since a second attempt does not fix a malformed file.
use rule fetch as prepare with:
    wildcard_constraints:
        dataset="|".join(d for d in CONFIG.datasets if d not in GRAPH.downloaded())
        or "none",
    retries: 0


rule fetch_model:
    input:
        here=lambda wildcards: GRAPH.catalogue.files_here(GRAPH.models[wildcards.model]),
    output:
        record=GRAPH.path(places.MODEL),
    log:
        f"{GRAPH.root}/logs/fetch_model/{{model}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/fetch_model/{{model}}.tsv"
    retries: 2
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=GRAPH.config,
        reference=lambda wildcards: GRAPH.models[wildcards.model],
        entry=lambda wildcards: GRAPH.entries([GRAPH.models[wildcards.model]]),
    shell:
        "e2rank-eval fetch --model {params.reference:q} --config {params.config} 2>&1 | tee {log}"


# Check a model against the cosine similarities that its authors published, before hours of work with it.
rule verify_model:
    input:
        record=GRAPH.path(places.MODEL),
    output:
        verified=GRAPH.path(places.VERIFIED),
    log:
        f"{GRAPH.root}/logs/verify_model/{{model}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/verify_model/{{model}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=CONFIG.gpus,
    params:
        reference=lambda wildcards: GRAPH.models[wildcards.model],
        cache=CONFIG.cache,
        entry=lambda wildcards: GRAPH.entries([GRAPH.models[wildcards.model]]),
    shell:
        "e2rank-eval verify {params.reference:q} --cache {params.cache:q} --output {output.verified}"
        " 2>&1 | tee {log}"
