# Runs -> summary, metrics and tables.


rule aggregate:
    input:
        FLOW.runs,
    output:
        summary=report(
            f"<results>/{paths.SUMMARY}",
            category="Tables",
            caption="../workflow/report/summary.rst",
        ),
        metrics=f"<results>/{paths.METRICS}",
        comparison=report(
            f"<results>/{paths.COMPARISON}.csv",
            category="Tables",
            caption="../workflow/report/comparison.rst",
        ),
        text=multiext(f"<results>/{paths.COMPARISON}", ".md", ".tex"),
        convergence=f"<results>/{paths.CONVERGENCE}",
    log:
        "<logs>/aggregate.log",
    conda:
        "../workflow/envs/medfl.yaml"
    params:
        folder=subpath(output.summary, parent=True),
        code=FLOW.tables_code,
        names=FLOW.order,
        minimum=GRID.minimum_cells,
        margins=GRID.margins,
    shell:
        'medfl aggregate --grid "$MEDFL_GRID" --results {params.folder:q} > {log:q} 2>&1'


# Makes the tables and the report of a grid that is not finished, or in which jobs failed: it asks
# for no run and shows which are missing. It leaves no metrics.json, so the next start makes the
# tables whole again. It has no benchmark file: Snakemake would take that for its output and run it
# once only.
rule partial:
    log:
        "<logs>/partial.log",
    conda:
        "../workflow/envs/medfl.yaml"
    threads: 64
    params:
        folder=GRID.output_dir,
    shell:
        'medfl report --grid "$MEDFL_GRID" --results {params.folder:q} --partial --cores {threads}'
        " 2>&1 | tee {log:q}"
