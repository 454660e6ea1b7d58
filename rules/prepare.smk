# Raw images -> one memory-mapped store for each dataset and resolution.


rule prepare:
    output:
        info="<store>/dataset.yaml",
        samples="<store>/samples.csv",
        images="<store>/images.npy",
    log:
        "<logs>/prepare/{dataset}.log",
    benchmark:
        "<benchmarks>/prepare/{dataset}.tsv"
    params:
        code=lambda wildcards: dataset_sha(wildcards.dataset),
        root=["--data-root", GRID.data_root] if GRID.data_root else [],
    conda:
        "../workflow/envs/medfl.yaml"
    shell:
        "medfl prepare {wildcards.dataset} {params.root:q} --force > {log:q} 2>&1"
