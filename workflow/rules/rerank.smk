# Rerank a part of one data set's shards, where the configuration splits the work into several jobs.
rule rerank_part:
    input:
        datasets=lambda wildcards: GRAPH.dataset_files([wildcards.dataset]),
        candidates=GRAPH.path(places.CANDIDATES),
        models=lambda wildcards: GRAPH.model_records("rerankers", wildcards.reranker),
    output:
        receipt=GRAPH.path(places.RERANK_PART),
    log:
        f"{GRAPH.root}/logs/rerank/{{dataset}}/{{first_stage}}/{{reranker}}/{{part}}-of-{{parts}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/rerank/{{dataset}}/{{first_stage}}/{{reranker}}/{{part}}-of-{{parts}}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=480,
        gpu=lambda wildcards: GRAPH.gpus("rerankers", wildcards.reranker),
    params:
        config=GRAPH.config,
        settings=lambda wildcards: GRAPH.settings("rerankers", wildcards.reranker),
    shell:
        "e2rank-eval rerank {wildcards.reranker} {wildcards.dataset} --first-stage {wildcards.first_stage}"
        " --part {wildcards.part}/{wildcards.parts} --config {params.config} 2>&1 | tee {log}"


# Runs and statistics: one job per (first stage, reranker) reranks all its data sets, so that the weights load once.
# Adding a data set reruns the job, but its finished shards are kept. A name of a configuration cannot contain "+", so
# that the names of these rules differ: stage a-b with reranker c is not stage a with reranker b-c.
for (first_stage, reranker), names in GRAPH.rerankings.items():

    rule:
        name:
            f"rerank-{first_stage}+{reranker}"
        input:
            datasets=GRAPH.dataset_files(names),
            candidates=GRAPH.candidate_files({first_stage: names}),
            models=GRAPH.model_records("rerankers", reranker),
            parts=GRAPH.rerank_parts({(first_stage, reranker): names}),
        output:
            runs=GRAPH.run_files(places.RUN, {(first_stage, reranker): names}),
            statistics=GRAPH.run_files(
                places.STATISTICS, {(first_stage, reranker): names}
            ),
        log:
            f"{GRAPH.root}/logs/rerank/{first_stage}/{reranker}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/rerank/{first_stage}/{reranker}.tsv"
        conda:
            ENVIRONMENT
        threads: GRAPH.threads("rerankers", reranker)
        resources:
            mem_mb=lambda wildcards, attempt: 8000 * attempt,
            runtime=480,
            gpu=GRAPH.gpus("rerankers", reranker),
        params:
            config=GRAPH.config,
            first_stage=first_stage,
            reranker=reranker,
            datasets=names,
            settings=GRAPH.settings("rerankers", reranker),
        shell:
            "e2rank-eval rerank {params.reranker} {params.datasets} --first-stage {params.first_stage}"
            " --config {params.config} 2>&1 | tee {log}"
