# The only list of commands. Python 3.11 or newer, pip and make are all it takes: what is missing is
# installed into .venv from the pins in constraints.txt, once per change of them.

PYTHON ?= python3
VENV := .venv
JOBS ?= 3
# Times that a failed test is run again, and named for it: a CI machine may stand still for seconds.
RERUNS ?= $(if $(CI),1,0)
BIN := $(VENV)/bin
NODE := $(shell command -v node 2>/dev/null)
INTEROP := tests/interop

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(VENV)/.server ## Watch tasks outlive a killed executor server
	@$(BIN)/python -m examples.demo

.PHONY: test
test: $(VENV)/.dev ## Run all tests, JOBS=3 at a time
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --reruns $(RERUNS) -r aR

.PHONY: check
check: $(VENV)/.dev ## Format, lint, types and import floors; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
ifneq ($(NODE),)
	$(BIN)/pyright
else ifdef CI
	@echo "make check: pyright needs Node.js, and CI must not skip it" >&2; exit 1
else
	@echo "make check: pyright skipped, Node.js is not installed"
endif

.PHONY: format
format: $(VENV)/.dev ## Format and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: golden
golden: $(VENV)/.dev ## Write generated files again: SQL of each dialect, state diagram, TypeScript
	$(BIN)/python -m tests.storage.golden
	$(BIN)/python docs/generate_state_diagram.py
	$(BIN)/durable-execution codegen typescript examples.executor_server:tasks \
	  -o examples/typescript/tasks.gen.ts
	$(BIN)/durable-execution codegen typescript tests.interop.generated.tasks:tasks \
	  -o tests/interop/generated/tasks.gen.ts

.PHONY: bench
bench: $(VENV)/.dev ## Measure beside floors: WORKLOADS=1,3 STORAGES=sqlite,postgres ROUNDS=5
	@$(BIN)/python -m bench $(if $(WORKLOADS),--workloads $(WORKLOADS)) \
	  $(if $(STORAGES),--storages $(STORAGES)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: bench-check
bench-check: $(VENV)/.dev ## Count instructions a task, beside floors: has something become slow?
	@$(BIN)/python -m bench.check

.PHONY: bench-profile
bench-profile: $(VENV)/.dev ## Look where the time of a task goes: STORAGES=sqlite,postgres
	@$(BIN)/python -m bench.stacks $(if $(STORAGES),--storages $(STORAGES))

PEERS := bench/peers/.venv

.PHONY: bench-peers
bench-peers: $(VENV)/.dev $(PEERS)/.installed ## Give other systems the same work; needs redis-server: ROUNDS=5
	@$(BIN)/python -m bench.peers $(if $(SYSTEMS),--systems $(SYSTEMS)) \
	  $(if $(ROUNDS),--rounds $(ROUNDS))

$(PEERS)/.installed: bench/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: chaos
chaos: $(VENV)/.dev ## Break everything under load: MINUTES=how long SEED=which chance
	@CHAOS_MINUTES=$(or $(MINUTES),10) CHAOS_SEED=$(or $(SEED),0) \
	  $(BIN)/python -m pytest -m chaos -rP --timeout=0

.PHONY: dist
dist: $(VENV)/.dev ## Build the wheel and the sdist into dist/, and check what an index checks
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/twine check --strict dist/*

.PHONY: test-dist
test-dist: $(VENV)/.dev ## Install what is built and try it: DIST=a folder of a wheel and an sdist
	@$(if $(DIST),DIST=$(abspath $(DIST))) $(BIN)/python -m pytest tests/distribution

DRAWING := $(VENV)/site/node_modules/.package-lock.json

.PHONY: docs
docs: $(VENV)/.docs $(DRAWING) ## Build the site into site/, every link checked: EXTERNAL=1 asks other sites too
	@NO_MKDOCS_2_WARNING=1 $(if $(EXTERNAL),CHECK_EXTERNAL_LINKS=1) $(BIN)/python -m mkdocs build --strict --quiet

$(DRAWING): docs/scripts/package-lock.json | $(BIN)/python
	mkdir -p $(VENV)/site && cp docs/scripts/package.json docs/scripts/package-lock.json $(VENV)/site
	cd $(VENV)/site && npm ci --no-audit --no-fund --silent
	@touch $@

.PHONY: interop
interop: $(INTEROP)/node_modules/.package-lock.json ## Install the npm packages that tests run

$(INTEROP)/node_modules/.package-lock.json: $(INTEROP)/package-lock.json
	cd $(INTEROP) && npm ci --no-audit --no-fund
	@touch $@

.PHONY: clean
clean: ## Remove everything that is not in the repository's care
	rm -rf $(VENV) $(PEERS) $(INTEROP)/node_modules build dist site .demo htmlcov .coverage .coverage.*
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.server: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[server]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.server $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

.PHONY: simulate
simulate: $(VENV)/.dev ## Run executors through simulated chaos: SEEDS=how many FIRST=from which
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),1000) --first $(or $(FIRST),0)

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Send damaged messages to both halves of oRPC: RUNS=how many SEED=from which
	@$(BIN)/python -m tests.orpc.fuzz --runs $(or $(RUNS),1000000) --seed $(or $(SEED),0)
