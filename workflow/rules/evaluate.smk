# Effectiveness: a run scored against its judgements, and systems tested against their baselines.


rule evaluate:
    input:
        run=GRAPH.path(places.RUN),
        statistics=GRAPH.path(places.STATISTICS),
        qrels=GRAPH.path(places.QRELS),
    output:
        metrics=GRAPH.path(places.METRICS),
    log:
        f"{GRAPH.root}/logs/evaluate/{{dataset}}/{{first_stage}}/{{reranker}}.log",
    benchmark:
        f"{GRAPH.root}/benchmarks/evaluate/{{dataset}}/{{first_stage}}/{{reranker}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        seed=CONFIG.seed,
    shell:
        "e2rank-eval evaluate {input.run} {input.qrels} --statistics {input.statistics} --output {output.metrics}"
        " --dataset {wildcards.dataset} --first-stage {wildcards.first_stage} --reranker {wildcards.reranker}"
        " --seed {params.seed} 2>&1 | tee {log}"


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
