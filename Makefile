# Each target does what it says and repeats nothing that is done; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
DEV_STAMP := .venv/installed-dev
# The emulator pins a botocore of its own, so it has an environment of its own.
EMULATOR_STAMP := .venv-aws/installed
NODE_STAMP := node_modules/installed
PEERS_STAMP := .venv-bench/installed
# No index and no host in the lock files: they hold names, versions and hashes only.
LOCK := -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help install run demo test test-faults test-aws fuzz check format lock bench soak clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## put botplatform and all it needs into .venv

run: $(STAMP) ## run the platform until Ctrl-C
	@$(BIN)/botplatform run

demo: $(STAMP) ## send every sample in events/ through its real door
	@$(BIN)/botplatform demo

# Tests wait more than they compute: three at a time keep two cores busy.
test: $(DEV_STAMP) ## run all tests that need no AWS, but for the faults
	@$(BIN)/python -m pytest --ignore tests/aws --ignore tests/faults -n 3 --dist loadfile $(PYTEST_ARGS)

test-faults: $(DEV_STAMP) ## kill, fill, freeze and cut whatever can be, and count what is left
	@$(BIN)/python -m pytest tests/faults -n 3 --dist loadfile $(PYTEST_ARGS)

test-aws: $(DEV_STAMP) $(EMULATOR_STAMP) $(NODE_STAMP) ## deploy to an AWS emulated on this machine, and prove it there (needs Node)
	@$(BIN)/python -m pytest tests/aws tests/conformance --stage aws $(PYTEST_ARGS)

fuzz: $(DEV_STAMP) ## a million malformed inputs, into everything that reads any
	@$(BIN)/python -m tests.fuzz --inputs 1000000

check: $(DEV_STAMP) ## format, lint, types, house rules, derived files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/house

format: $(DEV_STAMP) ## put the code into the one format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## pin all dependencies anew, with hashes (needs uv)
	uv pip compile $(LOCK) pyproject.toml --extra build -o requirements/runtime.txt
	uv pip compile $(LOCK) pyproject.toml --extra build --extra dev -o requirements/dev.txt
	uv pip compile $(LOCK) requirements/emulator.in -o requirements/emulator.txt
	npm install --package-lock-only

bench: $(PEERS_STAMP) ## measure beside the peers, which get an environment of their own
	@.venv-bench/bin/python -m benchmarks $(BENCH_ARGS)

soak: $(DEV_STAMP) ## an hour of everything at once
	@$(BIN)/python -m benchmarks.soak

clean: ## remove what install and the tools made (not the state)
	rm -rf .venv .venv-aws .venv-bench node_modules build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name '*.egg-info' -o -name __pycache__ | xargs rm -rf

# pip of the virtual environment's own Python: nothing but Python itself has to be there before.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("botplatform needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 install") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv

$(STAMP): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "installing (about half a minute, once) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements/dev.txt $(STAMP)
	@echo "installing what the tests need …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(EMULATOR_STAMP): requirements/emulator.txt | $(BIN)/python
	@echo "installing the emulator …"
	@$(BIN)/python -m venv .venv-aws
	@.venv-aws/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/emulator.txt
	@touch $@

$(PEERS_STAMP): requirements/runtime.txt benchmarks/requirements.txt | $(BIN)/python
	@echo "installing the peers …"
	@$(BIN)/python -m venv .venv-bench
	@.venv-bench/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt -r benchmarks/requirements.txt
	@.venv-bench/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(NODE_STAMP): package-lock.json
	@command -v npm >/dev/null || { echo "the deployment tool osls needs Node and npm: install them first"; exit 1; }
	@npm ci --silent
	@touch $@
