# Data sets and models: fetched, checked, and stored in one layout.


def slice_parent(wildcards):
    """A slice is cut from the data set it names."""
    parent = CONFIG.datasets[wildcards.dataset].slice_of
    return dataset_files(parent) if parent else []


rule fetch:
    input:
        parent=slice_parent,
    output:
        corpus=results(places.CORPUS),
        queries=results(places.QUERIES),
        qrels=results(places.QRELS),
        exclusions=results(places.EXCLUSIONS),
        manifest=results(places.DATASET_MANIFEST),
    params:
        config=CONFIG_FILE,
        settings=lambda wildcards: CONFIG.datasets[wildcards.dataset].model_dump(mode="json"),
    log:
        f"{ROOT}/logs/fetch/{{dataset}}.log",
    benchmark:
        f"{ROOT}/benchmarks/fetch/{{dataset}}.tsv"
    retries: 2
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    conda:
        ENVIRONMENT
    shell:
        "e2rank-eval fetch {wildcards.dataset} --config {params.config} 2>&1 | tee {log}"


rule fetch_model:
    output:
        record=results(places.MODEL),
    params:
        config=CONFIG_FILE,
        entry=lambda wildcards: MODELS[wildcards.model].model_dump(mode="json"),
    log:
        f"{ROOT}/logs/fetch_model/{{model}}.log",
    benchmark:
        f"{ROOT}/benchmarks/fetch_model/{{model}}.tsv"
    retries: 2
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    conda:
        ENVIRONMENT
    shell:
        "e2rank-eval fetch --model {wildcards.model} --config {params.config} 2>&1 | tee {log}"
