# Runs and traces: one job per (first stage, reranker) takes all its data sets, so that its weights load
# once. A data set that is added reruns the job; its finished shards make that cheap.
for (first_stage, reranker), names in GRAPH.rerankings.items():

    rule:
        name:
            f"rerank:{first_stage}:{reranker}"
        input:
            datasets=GRAPH.dataset_files(names),
            candidates=GRAPH.candidate_files({first_stage: names}),
            models=GRAPH.model_records("rerankers", reranker),
        output:
            runs=GRAPH.reranking_files(places.RUN, {(first_stage, reranker): names}),
            traces=GRAPH.reranking_files(places.TRACE, {(first_stage, reranker): names}),
        log:
            f"{GRAPH.root}/logs/rerank/{first_stage}/{reranker}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/rerank/{first_stage}/{reranker}.tsv"
        conda:
            ENVIRONMENT
        threads: CONFIG.threads
        resources:
            mem_mb=8000,
            runtime=480,
        params:
            config=GRAPH.config,
            first_stage=first_stage,
            reranker=reranker,
            datasets=names,
            settings=GRAPH.settings("rerankers", reranker),
        shell:
            "e2rank-eval rerank {params.reranker} {params.datasets} --first-stage {params.first_stage}"
            " --config {params.config} 2>&1 | tee {log}"
