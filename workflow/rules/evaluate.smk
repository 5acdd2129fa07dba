# Effectiveness: a run scored against its judgements, and systems tested against their baselines.


# Metrics: one job per (first stage, reranker) evaluates all its data sets, as the reranking job does, so that Python
# starts once and metrics do not wait for other rerankers.
for (first_stage, reranker), names in GRAPH.rerankings.items():

    rule:
        name:
            f"evaluate-{first_stage}+{reranker}"
        input:
            runs=GRAPH.run_files(places.RUN, {(first_stage, reranker): names}),
            statistics=GRAPH.run_files(
                places.STATISTICS, {(first_stage, reranker): names}
            ),
            qrels=[GRAPH.path(places.QRELS, dataset=name) for name in names],
        output:
            metrics=GRAPH.run_files(places.METRICS, {(first_stage, reranker): names}),
        log:
            f"{GRAPH.root}/logs/evaluate/{first_stage}/{reranker}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/evaluate/{first_stage}/{reranker}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1000,
            runtime=20,
        params:
            config=GRAPH.config,
            first_stage=first_stage,
            reranker=reranker,
            datasets=names,
            seed=CONFIG.seed,
        shell:
            "e2rank-eval evaluate {params.reranker} {params.datasets} --first-stage {params.first_stage}"
            " --config {params.config} 2>&1 | tee {log}"


rule compare:
    input:
        metrics=lambda wildcards: GRAPH.compared_metrics(wildcards.comparison),
    output:
        comparison=GRAPH.path(places.COMPARISON),
    log:
        f"{GRAPH.root}/logs/compare/{{comparison}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/compare/{{comparison}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        config=GRAPH.config,
        seed=CONFIG.seed,
        settings=lambda wildcards: CONFIG.comparisons[wildcards.comparison].model_dump(
            mode="json"
        ),
    shell:
        "e2rank-eval compare {wildcards.comparison} --config {params.config} 2>&1 | tee {log}"
