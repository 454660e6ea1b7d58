# One run of the grid: dataset x partition x arm x seed.

# Snakemake counts GPUs but does not say which one a job got: `medfl run` takes a free slot itself.
# `setdefault` sets a limit that `--resources gpu=N` and profiles override.
GPU = int(GPU_SLOTS > 0 and GRID.run.training.get("device", "auto") != "cpu")
if GPU:
    workflow.global_resources.setdefault("gpu", GPU_SLOTS)


rule train:
    input:
        # `ancient`: the split is remade whenever the store changes, so here it need only be there.
        store=ancient("<store>/dataset.yaml"),
        split=split_file,
    output:
        metrics=f"<run>/{paths.RECORD}",
        config=f"<run>/{paths.CONFIG}",
        rounds=f"<run>/{paths.ROUNDS}",
        clients=f"<run>/{paths.CLIENTS}",
        predictions=[f"<run>/{paths.PREDICTIONS}"] if KEEPS_PREDICTIONS else [],
    log:
        "<logs>/train/{dataset}/{partition}/{arm}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train/{dataset}/{partition}/{arm}/seed{seed}.tsv"
    conda:
        "../workflow/envs/medfl.yaml"
    threads: 1
    resources:
        gpu=GPU,
    params:
        folder=subpath(output.metrics, parent=True),
        # Code that gives other numbers, and other settings of this arm, redo the runs they touch.
        code=lambda wildcards: run_code(run_config(wildcards)).identity,
        settings=lambda wildcards: fingerprint(run_config(wildcards)),
    shell:
        'medfl run --grid "$MEDFL_GRID" --dataset {wildcards.dataset}'
        " --partition {wildcards.partition} --arm {wildcards.arm} --seed {wildcards.seed}"
        " --output-dir {params.folder:q} > {log:q} 2>&1"
