# Runs -> summary, metrics and tables.


rule aggregate:
    input:
        FLOW.runs,
    output:
        summary=report(
            "<results>/summary.csv",
            category="Tables",
            caption="../workflow/report/summary.rst",
        ),
        metrics="<results>/metrics.json",
        comparison=report(
            "<results>/tables/comparison.csv",
            category="Tables",
            caption="../workflow/report/comparison.rst",
        ),
        text=multiext("<results>/tables/comparison", ".md", ".tex"),
        convergence="<results>/tables/convergence.csv",
    log:
        "<logs>/aggregate.log",
    benchmark:
        "<benchmarks>/aggregate.tsv"
    conda:
        "../workflow/envs/medfl.yaml"
    params:
        folder=subpath(output.summary, parent=True),
        code=FLOW.tables_code,
        names=FLOW.order,
    shell:
        'medfl aggregate --grid "$MEDFL_GRID" --results {params.folder:q} > {log:q} 2>&1'


# For a grid that is not finished, or in which jobs failed: asks for no run, shows what is missing.
# Without metrics.json, which only whole grids have, the next start makes the tables whole again;
# and without a benchmark file, which Snakemake would take for its output, it runs every time.
rule partial:
    log:
        "<logs>/partial.log",
    conda:
        "../workflow/envs/medfl.yaml"
    params:
        folder=GRID.output_dir,
    shell:
        '( medfl aggregate --grid "$MEDFL_GRID" --results {params.folder:q} --partial > /dev/null'
        ' && medfl report --grid "$MEDFL_GRID" --results {params.folder:q}'
        " && rm -f {params.folder:q}/metrics.json ) 2>&1 | tee {log:q}"
