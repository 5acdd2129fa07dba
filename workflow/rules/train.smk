# Training lists whose source is given in a training file.
for path, made_from in GRAPH.trainings.lists.items():

    rule:
        name:
            f"training-lists-{Path(path).stem}"
        input:
            made_from,
        output:
            GRAPH.trainings.made(path),
        log:
            f"{GRAPH.root}/logs/training-lists/{Path(path).stem}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/training-lists/{Path(path).stem}.tsv"
        conda:
            ENVIRONMENT
        threads: CONFIG.threads
        resources:
            mem_mb=8000,
            runtime=480,
        params:
            cache=str(CONFIG.cache),
        shell:
            "e2rank-eval training-lists {input:q} {output[0]:q} --cache {params.cache:q} --threads {threads} 2>&1 | tee {log:q}"


# Training: one job per run of the configuration's training files, named train_stage1-<run> and so on. Checkpoints are
# not outputs of a rule, so Snakemake never deletes them and a killed job resumes from the newest.
for (path, run), (_, settings) in GRAPH.trainings.runs.items():

    rule:
        name:
            f"train_{settings.objective.replace('-', '_')}-{run}"
        input:
            GRAPH.trainings.inputs(path, run),
        output:
            entry=GRAPH.trainings.entry(path, run),
        log:
            f"{GRAPH.root}/logs/train/{run}.log",
        benchmark:
            f"{GRAPH.root}/benchmarks/train/{run}.tsv"
        conda:
            ENVIRONMENT
        threads: settings.threads
        resources:
            mem_mb=8000,
            runtime=480,
            gpu=CONFIG.gpus,
        params:
            path=path,
            run=run,
            settings=settings.model_dump(mode="json"),
        shell:
            "e2rank-eval train {params.path} {params.run} 2>&1 | tee {log}"
