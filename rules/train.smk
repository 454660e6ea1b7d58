# One run of the grid: dataset x partition x arm x seed.

# Snakemake counts GPUs but does not say which one a job got: `medfl run` takes a free slot itself.
# `setdefault` sets a limit that `--resources gpu=N` and profiles override.
if FLOW.gpu_slots:
    workflow.global_resources.setdefault("gpu", FLOW.gpu_slots)

# Where values are chosen again as before, the run stays and only notes it. So its files are left to
# `medfl run`, which replaces them if they are of other values. Otherwise Snakemake removes them.
left = update if FLOW.tuning.in_use else str


rule train:
    input:
        # `ancient`: a store that has changed makes its split anew, and by that its runs; its own
        # date says nothing here.
        store=ancient("<store>/dataset.yaml"),
        split=split_file,
        given=lambda wildcards: FLOW.given_store(wildcards),
        # `medfl run` finds it by itself.
        chosen=lambda wildcards: FLOW.chosen_values(wildcards),
    output:
        metrics=left(f"<run>/{paths.RECORD}"),
        config=left(f"<run>/{paths.CONFIG}"),
        rounds=left(f"<run>/{paths.ROUNDS}"),
        clients=left(f"<run>/{paths.CLIENTS}"),
        predictions=[left(f"<run>/{paths.PREDICTIONS}")] if FLOW.keeps_predictions else [],
    log:
        "<logs>/train/{dataset}/{partition}/{arm}/seed{seed}.log",
    # Seed by seed, so that tables of what is there are soon whole for the first seeds.
    priority: lambda wildcards: FLOW.priority(wildcards)
    conda:
        "../workflow/envs/medfl.yaml"
    # What the run uses, so that all jobs together keep to --cores.
    threads: lambda wildcards: FLOW.run_cores(wildcards)
    resources:
        gpu=int(FLOW.gpu_slots > 0),
    params:
        folder=subpath(output.metrics, parent=True),
        # A run is made again where its code gives other numbers, or its settings are others. These
        # are lambdas, since Snakemake asks very often for the signature of each function, and a
        # method's takes twice as long.
        code=lambda wildcards: FLOW.run_code(wildcards),
        settings=lambda wildcards: FLOW.run_settings(wildcards),
    # Never edit this command: Snakemake would make every run of every user again.
    shell:
        'medfl run --grid "$MEDFL_GRID" --dataset {wildcards.dataset}'
        " --partition {wildcards.partition} --arm {wildcards.arm} --seed {wildcards.seed}"
        " --split {input.split:q} --output-dir {params.folder:q} --cores {threads}"
        " > {log:q} 2>&1"
