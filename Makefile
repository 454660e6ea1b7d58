# make demo     environment, synthetic data, the default grid, tables, figures, report
# make test     the quick tests;  make coverage: the same, and which lines they leave out
# make lint     style and types;  make bench: speed and memory;  make docs: a site in site/
# make stamp    after an edit of what gives numbers: results stay valid, if the golden test passes
# make golden   after a change of numbers that is meant: see CONTRIBUTING.md
PYTHON ?= python3.11
VENV ?= .venv
CORES ?= all
BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
export PATH := $(BIN):$(PATH)

.PHONY: demo install test coverage lint docs notebook stamp golden bench clean lock

demo: $(READY)
	@echo "The default grid on synthetic images (params/default.yaml); what a run says: results/logs/"
	$(BIN)/snakemake --cores $(CORES) --quiet rules reason host
	@echo
	@cat results/logs/report.log

install: $(READY)

# torch comes first, on its own: a build for this machine's device that is there already then
# satisfies all that need it.
$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8

coverage: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 \
		--cov --cov-report=term --cov-report=html:.coverage/html

lint: $(READY)
	$(BIN)/pre-commit run --all-files

stamp: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/stamp.py

golden: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/renew.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/stamp.py

bench: $(READY)
	$(BIN)/python -m benchmarks

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# After a change of what the notebook shows: new outputs in the committed file.
notebook: $(READY)
	$(BIN)/jupyter execute --inplace --NotebookClient.record_timing=False docs/notebooks/*.ipynb

# The environment, and everything that is made again; data/raw stays.
clean:
	test ! -d results || find results -mindepth 1 ! -path results/README.md -delete
	rm -rf $(VENV) site data/prepared data/splits .snakemake .pytest_cache .mypy_cache .ruff_cache .coverage

# After a change of the requirements in pyproject.toml: new pins from the environment as it is.
# No CUDA packages and no local builds: torch brings those that its build needs.
lock:
	( sed -n '/^#/p' requirements.lock; $(BIN)/python -m pip freeze --exclude-editable \
		| grep -v -i -E '^(nvidia|cuda|triton|pip|setuptools|wheel)\b|@' | sed 's/+cpu$$//' ) > requirements.new
	mv requirements.new requirements.lock
	sum=$$(sha256sum requirements.lock | cut -c1-16); \
		sed -i "s/^# lock: .*/# lock: $$sum/" workflow/envs/medfl.post-deploy.sh
