# Latency: timed alone on the machine. Locally a job takes every core, so that no other runs beside it;
# on Slurm it asks for a node of its own.
for entry, reranker in GRAPH.timings:
    timed = CONFIG.latency[entry]

    rule:
        name:
            f"latency-{entry}-{reranker}"
        input:
            dataset=GRAPH.dataset_files([timed.dataset]),
            candidates=GRAPH.path(
                places.CANDIDATES, dataset=timed.dataset, first_stage=timed.first_stage
            ),
            models=GRAPH.model_records("rerankers", reranker),
        output:
            latency=GRAPH.latency_file(entry, reranker),
        log:
            f"{GRAPH.root}/logs/latency/{entry}/{reranker}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/latency/{entry}/{reranker}.tsv"
        # Quality first: latency waits until nothing else can run.
        priority: -1
        conda:
            ENVIRONMENT
        threads: workflow.cores or CONFIG.threads
        resources:
            mem_mb=8000,
            runtime=240,
            gpu=GRAPH.gpus("rerankers", reranker),
            slurm_extra="'--exclusive'",
        params:
            config=GRAPH.config,
            entry=entry,
            reranker=reranker,
            timed=timed.model_dump(mode="json"),
            settings=GRAPH.settings("rerankers", reranker),
        shell:
            "e2rank-eval latency {params.entry} {params.reranker} --config {params.config} 2>&1 | tee {log}"
