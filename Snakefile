# The grid as a workflow: prepare -> split (-> tune) -> train -> aggregate -> report.
#
#   snakemake --cores all                                      the grid of params/default.yaml
#   snakemake --cores all --configfile params/ham10000.yaml    another grid
#   snakemake --cores all partial                              tables of the runs that are there
#
# Every step is one `medfl` command, so it also runs by hand. medfl/grid/ has the keys of a grid and
# checks them; medfl/pipeline/workflow.py answers what the rules ask of it.

import os

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from medfl.errors import MedflError, on_one_line
from medfl.pipeline.workflow import Workflow
from medfl.results import paths

min_version("9.27")


# medfl reads the grid itself: Snakemake's reader would merge several and take 010 for 8.
SETTINGS = workflow.config_settings
NAMED = SETTINGS.configfiles or ["params/default.yaml"]
try:
    FLOW = Workflow.open(
        NAMED,
        SETTINGS.config,
        in_job=not workflow.is_main_process,
    )
except MedflError as error:
    raise WorkflowError(f"medfl: error: {on_one_line(error)}")

# What jobs on other machines read, whatever is edited meanwhile.
SETTINGS.configfiles = [FLOW.file.absolute()]
os.environ.update(FLOW.environment(workflow.basedir))
GRID = FLOW.grid


pathvars:
    results=GRID.output_dir,
    logs=f"{GRID.output_dir}/{paths.LOGS}",
    benchmarks=f"{GRID.output_dir}/{paths.BENCHMARKS}",
    store=f"{GRID.work_root}/prepared/{{dataset}}",
    split=f"{GRID.splits_dir}/{{dataset}}/{{partition}}/{{dealing}}/seed{{seed}}",
    run=f"<results>/{paths.RUNS}/{paths.RUN}",
    tuned=f"<results>/{paths.TUNING}/{paths.RUN}",
    point=f"<tuned>/{paths.POINT}",


# Each wildcard is one name or number, so no part of a path fits two of them.
wildcard_constraints:
    dataset=r"[A-Za-z0-9_][A-Za-z0-9_.-]*",
    partition=r"[A-Za-z_][A-Za-z0-9_.]*(-[A-Za-z0-9_.+~-]+)*",
    dealing=r"(clients\d+|natural)(-[a-z0-9.+-]+)*",
    arm=r"[A-Za-z0-9_.+-]+",
    seed=r"\d+",
    point=r"\d+",


localrules:
    all,
    prepared,
    splits,
    runs,
    choose,
    tuning,
    aggregate,
    report,
    partial,


include: "rules/start.smk"
include: "rules/prepare.smk"
include: "rules/split.smk"
include: "rules/tune.smk"
include: "rules/train.smk"
include: "rules/aggregate.smk"
include: "rules/report.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        rules.aggregate.output,
        rules.report.output,
        rules.tuning.output if GRID.tune else [],


rule prepared:
    input:
        FLOW.stores,


rule splits:
    input:
        FLOW.splits(),


# `splits_<dataset>`: the stages of dvc.yaml.
for dataset in GRID.datasets:

    rule:
        name:
            f"splits_{dataset}"
        input:
            FLOW.splits(dataset),
        localrule: True


rule runs:
    input:
        FLOW.runs,
