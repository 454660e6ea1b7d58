#!/bin/bash
# Fills the conda environment: the pinned packages, then medfl from the checkout (editable, so that
# edits count; the workflow redoes what they touch). Snakemake runs a copy of this script, and names
# the environment after its content: the line below makes a new lock file a new environment.
# lock: fd0202c5be3b66e5
set -euo pipefail
cd "${MEDFL_SOURCE:?set by the Snakefile}"
python -m pip install "$(grep '^torch==' requirements.lock)"
python -m pip install -r requirements.lock
python -m pip install --no-deps --no-build-isolation -e .
python -c "import torch; print('CUDA available:', torch.cuda.is_available())"
