# Two commands for a new user: make study, make test. Everything runs in .venv, made from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
GUARD := $(BIN)/python workflow/guard.py
export OMP_NUM_THREADS = 1
export MLFLOW_DISABLE_TELEMETRY = true
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: study smoke test test-unit test-contract test-golden test-dag test-e2e test-operations fuzz ui follow sync report lint format \
	lock envs freeze compare-reference publish verify-published compare crate docs bench bench-labels clean help

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/\t/' | expand -t 16

study: $(BIN)/.installed  ## run the study (config/config.yaml) to its report
	$(GUARD) $(SNAKEMAKE)

smoke: $(BIN)/.installed  ## every stage, shortened (config/smoke.yaml)
	$(GUARD) $(SNAKEMAKE) --configfile config/smoke.yaml

test: $(BIN)/.installed  ## all tests, files side by side on two cores
	$(BIN)/python -m pytest -n 2 --dist loadfile tests

test-unit test-contract test-golden test-dag test-e2e: test-%: $(BIN)/.installed  ## one level of the tests
	$(BIN)/python -m pytest tests/$*

test-operations: $(BIN)/.installed  ## smoke, servers, schedulers and kills, minutes each; not part of make test
	$(BIN)/python -m pytest -m operations tests/operations

fuzz: $(BIN)/.installed  ## property tests of configuration, loaders and claims, far longer than in make test (EXAMPLES=2000)
	QFF_FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest tests/fuzz

ui: $(BIN)/.installed  ## MLflow's pages on 127.0.0.1:5000
	@for profile in $$(find results -mindepth 2 -maxdepth 2 -name invocations -printf '%h\n' 2>/dev/null); do \
		$(BIN)/python -m qff.tracking sync $$profile; done
	@echo 'MLflow: http://127.0.0.1:5000 (Ctrl-C ends it). Choose "Model training" at its upper left: its other pages hide the runs.'
	@# Its job queues, seven processes, serve nothing of a study.
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///results/mlflow.db} --host 127.0.0.1

follow: $(BIN)/.installed  ## loss curves of a running study grow in MLflow (PROFILE=study)
	$(BIN)/python -m qff.tracking follow results/$(or $(PROFILE),study)

sync: $(BIN)/.installed  ## send what MLflow has missed (PROFILE=study)
	$(BIN)/python -m qff.tracking sync results/$(or $(PROFILE),study)

report:  ## where the report is; opens it where there is a desktop
	@$(BIN)/python -m qff.report.show results/$(or $(PROFILE),study)

lint: $(BIN)/.installed  ## ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check workflow tests
	$(BIN)/ruff format --check workflow tests
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/python -m qff.config_docs --check
	$(BIN)/python -m qff.readme --check
	$(BIN)/python -m qff.benchmark.document --check
	$(BIN)/python -m qff.environments --check
	$(BIN)/snakemake --lint

format: $(BIN)/.installed  ## put the code into its standard form
	$(BIN)/ruff check --fix workflow tests
	$(BIN)/ruff format workflow tests
	$(BIN)/snakefmt Snakefile workflow/rules

docs: $(BIN)/.installed  ## regenerate config/README.md, its schema and the README's claims table
	$(BIN)/python -m qff.config_docs
	$(BIN)/python -m qff.readme

envs: $(BIN)/.installed  ## regenerate the conda environments of the rules from requirements.lock
	$(BIN)/python -m qff.environments

freeze: $(BIN)/.installed  ## recompute all reference labels and make them the frozen set
	$(GUARD) $(SNAKEMAKE) --configfile config/freeze.yaml --until collect_reference
	for system in lih h2o h3o ethanol ethane benzene naphthalene; do for kind in extxyz json; do \
		cp results/freeze/reference/$$system/labels.$$kind results/published/reference/$$system.$$kind || exit 1; done; \
		sed -i '2s/labels\.extxyz/'$$system'.extxyz/' results/published/reference/$$system.json; done

compare-reference: $(BIN)/.installed  ## compare the frozen labels with a larger basis, slopes and QM-22 (QFF_DATA)
	test -f "$(QFF_DATA)/qm22/hydronium_1000.extxyz" || { echo 'QFF_DATA: no folder with qm22/hydronium_1000.extxyz (energies of github.com/jmbowma/QM-22)'; exit 1; }
	$(BIN)/python -m qff.reference.compare h2o --forces
	$(BIN)/python -m qff.reference.compare h3o --qm22 "$(QFF_DATA)/qm22/hydronium_1000.extxyz"

verify-published: $(BIN)/.installed  ## judge the committed record again from its files; fails on any contradiction
	@for claims in results/published/claims.csv results/published/*/claims.csv; do \
		$(BIN)/python -m qff.verify $${claims%/claims.csv} || failed=1; done; test -z "$$failed"

compare: $(BIN)/.installed  ## two runs, number by number (A=results/published B=results/study)
	$(BIN)/python -m qff.compare $(or $(A),results/published) $(or $(B),results/study) $(if $(TABLE),--table $(TABLE))

crate: $(BIN)/.installed-crate  ## a finished study as a Workflow Run RO-Crate (PROFILE=study)
	$(BIN)/python -m qff.crate results/$(or $(PROFILE),study)

publish: $(BIN)/.installed  ## make the finished study the published record (an overlay's beside it: PROFILE=imported)
	$(BIN)/python -m qff.publish results/$(or $(PROFILE),study) results/published$(patsubst %,/%,$(filter-out study,$(PROFILE)))
	$(BIN)/python -m qff.readme

bench: $(BIN)/.installed-bench  ## time the circuit engine against other simulators (WORKLOADS="W1 W2", all by default)
	$(BIN)/python -m qff.benchmark $(WORKLOADS)

bench-labels: $(BIN)/.installed  ## time reference labels, one process against one per core
	$(BIN)/python -m qff.benchmark.labels

lock: $(BIN)/.installed  ## write requirements.lock from what is installed
	$(BIN)/pip freeze --all --exclude-editable --exclude qff | sed -e '/^pip==/d' -e 's/+cpu$$//' | grep -vxFf requirements-bench.lock | grep -vxFf requirements-crate.lock > requirements.lock

clean:  ## forget results and environment; the published record stays
	rm -rf .venv .snakemake results/study results/smoke results/freeze results/mlflow.db* results/mlartifacts

$(BIN)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m qff.engines.compiled  # compiles the kernels once, for all jobs
	touch $@

$(BIN)/.installed-crate: $(BIN)/.installed requirements-crate.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps -r requirements-crate.lock
	touch $@

$(BIN)/.installed-bench: $(BIN)/.installed requirements-bench.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-bench.lock
	touch $@
