# Effectiveness: a run scored against its judgements, and systems tested against their baselines.


rule evaluate:
    input:
        run=results(places.RUN),
        trace=results(places.TRACE),
        qrels=results(places.QRELS),
    output:
        metrics=results(places.METRICS),
    params:
        seed=CONFIG.seed,
    log:
        f"{ROOT}/logs/evaluate/{{dataset}}/{{first_stage}}/{{reranker}}.log",
    benchmark:
        f"{ROOT}/benchmarks/evaluate/{{dataset}}/{{first_stage}}/{{reranker}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    conda:
        ENVIRONMENT
    shell:
        "e2rank-eval evaluate {input.run} {input.qrels} --trace {input.trace} --output {output.metrics}"
        " --seed {params.seed} 2>&1 | tee {log}"


rule compare:
    input:
        metrics=lambda wildcards: comparison_metrics(wildcards.comparison),
    output:
        comparison=results(places.COMPARISON),
    params:
        config=CONFIG_FILE,
        settings=lambda wildcards: CONFIG.comparisons[wildcards.comparison].model_dump(mode="json"),
    log:
        f"{ROOT}/logs/compare/{{comparison}}.log",
    benchmark:
        f"{ROOT}/benchmarks/compare/{{comparison}}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    conda:
        ENVIRONMENT
    shell:
        "e2rank-eval compare {wildcards.comparison} --config {params.config} 2>&1 | tee {log}"
