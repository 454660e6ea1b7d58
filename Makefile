# make demo     environment, synthetic data, the default grid, tables, figures, report
# make test     the quick tests;  make coverage: the same, and which lines they leave out
# make slow     the slow tests: the pipeline and DVC with the real commands;  make weekly: more cases
# make lint     style and types;  make bench: speed and memory;  make docs: the pages as a site
# make install  the environment alone;  make clean: away with it, and with all that is made again
# make mutants  small wrong edits, each of which a test should notice (hours; see CONTRIBUTING.md)
# make accountant  ε against a second accountant, which has an environment of its own
# make audit    known holes in the pinned packages (asks a registry for them)
# make reference SET=…  a grid of params/reference, and its results for docs/results (hours)
# make notebook the notebook's outputs anew;  make lock: new pins
# make stamp    after an edit of what gives numbers: results stay valid, if the golden test passes
# make golden   after a change of numbers that is meant: see CONTRIBUTING.md
PYTHON ?= python3.11
VENV ?= .venv
CORES ?= all
BIN := $(abspath $(VENV))/bin
PACKAGES := $(VENV)/.packages
READY := $(VENV)/.ready
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
export PATH := $(BIN):$(PATH)
# Where it is set, each of the hundreds of processes that tests start would compile the package.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo install packages test slow weekly coverage mutants accountant audit lint docs reference notebook stamp golden bench clean lock

demo: $(READY)
	@echo "The default grid on synthetic images (params/default.yaml); what a run says: results/logs/"
	$(BIN)/snakemake --cores $(CORES) --quiet rules reason host
	@echo
	@cat results/logs/report.log

install: $(READY)

packages: $(PACKAGES)

# torch is installed first and alone: where a build for this machine's GPU is there already, pip
# keeps it, and the other packages take it. TORCH_INDEX: an index of other builds of it.
# pip would compile a minute long on one core; all cores do it at the end.
$(PACKAGES): requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --no-compile $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$$(grep '^torch==' requirements.lock)"
	$(PIP) --no-compile -r requirements.lock
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # templates among the packages are no Python
	touch $(PACKAGES)

$(READY): $(PACKAGES) pyproject.toml
	$(PIP) --no-deps --no-build-isolation -e .
	touch $(READY)

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8

slow: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow and not weekly" \
		--numprocesses auto --maxprocesses 8 --dist loadfile

weekly: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m weekly --numprocesses auto --maxprocesses 8

coverage: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 \
		--cov --cov-report=term --cov-report=html:.coverage/html

# In a copy of the project; what it takes: make mutants MUTANTS="chain metrics --near".
mutants: $(READY)
	OMP_NUM_THREADS=1 nice $(BIN)/python -m mutants $(MUTANTS)

# dp-accounting needs an older attrs than the packages of $(VENV).
$(VENV)-accountant/.ready:
	$(PYTHON) -m venv $(VENV)-accountant
	$(VENV)-accountant/bin/python -m pip install --quiet --disable-pip-version-check "dp-accounting==0.6.0"
	touch $@

accountant: $(READY) $(VENV)-accountant/.ready
	MEDFL_DP_ACCOUNTING=$(abspath $(VENV)-accountant)/bin/python \
		$(BIN)/python -m pytest tests/privacy/accounting/test_second_accountant.py

# Known holes in the pinned packages; those that SECURITY.md weighs are left out.
$(VENV)-audit/.ready:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check "pip-audit==2.10.1"
	touch $@

audit: $(VENV)-audit/.ready
	$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement requirements.lock \
		$(addprefix --ignore-vuln ,$(shell grep -o 'CVE-[0-9-]*' SECURITY.md))

lint: $(READY)
	$(BIN)/pre-commit run --all-files

stamp: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/stamp.py

golden: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/renew.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/stamp.py

bench: $(READY)
	$(BIN)/python -m benchmarks

# Without --quiet, which hides warnings before mkdocs counts them: a dead link would pass.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

reference: $(READY)
	$(BIN)/snakemake --cores $(CORES) --quiet rules reason host --configfile params/reference/$(SET).yaml
	$(BIN)/medfl publish --grid params/reference/$(SET).yaml --to docs/results/$(SET) \
		--title "Reference results: $(SET)"

# Writes new outputs into the committed notebook, after a change of what it shows.
notebook: $(READY)
	$(BIN)/jupyter execute --inplace --NotebookClient.record_timing=False docs/notebooks/*.ipynb

# Deletes the environment and everything that is made again; raw data stay.
clean:
	test ! -d results || find results -mindepth 1 ! -path results/README.md -delete
	rm -rf $(VENV) $(VENV)-accountant $(VENV)-audit site data/prepared data/splits .snakemake .pytest_cache .mypy_cache .ruff_cache .coverage .mutants

# Pins the environment as it is, after a change of the requirements in pyproject.toml. CUDA packages
# and local builds are left out: torch brings those that its build needs.
lock:
	( sed -n '/^#/p' requirements.lock; $(BIN)/python -m pip freeze --exclude-editable \
		| grep -v -i -E '^(nvidia|cuda|triton|pip|setuptools|wheel)\b|@' | sed 's/+cpu$$//' ) > requirements.new
	mv requirements.new requirements.lock
	sum=$$(sha256sum requirements.lock | cut -c1-16); \
		sed -i "s/^# lock: .*/# lock: $$sum/" workflow/envs/medfl.post-deploy.sh
