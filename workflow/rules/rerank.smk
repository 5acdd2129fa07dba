# Runs and traces: one job per (first stage, reranker) takes all its data sets, so that its weights load
# once. A data set that is added reruns the job; its finished shards make that cheap.
for (first_stage, reranker), names in RERANKINGS.items():

    rule:
        name:
            f"rerank_{first_stage}_{reranker}"
        input:
            datasets=[path for dataset in names for path in dataset_files(dataset)],
            candidates=[
                results(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
                for dataset in names
            ],
            model=model_of(CONFIG.rerankers[reranker]),
        output:
            runs=places_of(places.RUN, {(first_stage, reranker): names}),
            traces=places_of(places.TRACE, {(first_stage, reranker): names}),
        params:
            config=CONFIG_FILE,
            first_stage=first_stage,
            reranker=reranker,
            datasets=names,
            settings=settings_of("rerankers", reranker),
        log:
            f"{ROOT}/logs/rerank/{first_stage}/{reranker}.log",
        benchmark:
            f"{ROOT}/benchmarks/rerank/{first_stage}/{reranker}.tsv"
        threads: CONFIG.threads
        resources:
            mem_mb=8000,
            runtime=480,
        conda:
            ENVIRONMENT
        shell:
            "e2rank-eval rerank {params.reranker} {params.datasets} --first-stage {params.first_stage}"
            " --config {params.config} 2>&1 | tee {log}"
