# What one does with Tocsin's sources. It needs Python 3.11 or newer (PYTHON=...) and a package registry.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

define setup
@command -v $(PYTHON) >/dev/null || { echo "Tocsin needs Python 3.11 or newer; there is no $(PYTHON) (set PYTHON=...)" >&2; exit 1; }
@$(PYTHON) -c 'import sys; v = sys.version_info[:3]; v >= (3, 11) or \
  sys.exit("Tocsin needs Python 3.11 or newer; $(PYTHON) is %d.%d.%d (set PYTHON=...)" % v)'
@$(PYTHON) scripts/make_venv.py
endef

.DEFAULT_GOAL := help
.PHONY: help demo up test bench bench-api whole-path estimate estimate-speed fairness browser check lint types imports compose-check dockerfile-check format lock setup setup-dev clean week

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  ARGS="..." passes arguments on: make demo ARGS=--once, make test ARGS="-k quiet_hours"'

demo: setup ## Tocsin with simulated browsers, topics and a finished alert (ARGS=--once ends by itself)
	@$(BIN)/tocsin demo $(ARGS)

up: setup ## Tocsin on this machine: API, workers and its own servers
	@$(BIN)/tocsin up $(ARGS)

test: setup-dev ## all tests but those that drive a browser
	@$(BIN)/pytest -m "not browser" $(ARGS)

fairness: setup-dev ## alerts and push services beside one another: ratios (see benchmarks/)
	@$(BIN)/python benchmarks/fairness.py $(ARGS)

bench: setup-dev ## Tocsin's sender beside its peers (ARGS="--peers FOLDER" for node's; see benchmarks/)
	@$(BIN)/tocsin bench $(ARGS)

bench-api: setup-dev ## what one core takes of the readers' API, by an open-loop load (see benchmarks/)
	@$(BIN)/python benchmarks/api.py $(ARGS)

whole-path: setup-dev ## from the 202 to the last 201 for 10,000 to 1,000,000 subscriptions (see benchmarks/)
	@$(BIN)/python benchmarks/whole_path.py $(ARGS)

estimate: setup-dev ## the estimate against what planning gives, for 200,000 readers of every kind (READERS=...)
	@READERS=$(or $(READERS),200000) $(BIN)/pytest tests/engine/test_engine_estimate.py $(ARGS)

estimate-speed: setup-dev ## the estimate over a million subscriptions, and what they take of the store (see benchmarks/)
	@$(BIN)/python benchmarks/estimate.py $(ARGS)

week: setup-dev ## a week of news for 100,000 simulated browsers, judged one by one (BROWSERS=...)
	@BROWSERS=$(or $(BROWSERS),100000) $(BIN)/pytest -s tests/simulation/test_simulation_week.py $(ARGS)

browser: setup-dev ## the tests that drive a real Firefox and Chromium
	@$(BIN)/pytest -m browser $(ARGS)

SEEDS ?= 5
faults: setup-dev ## every fault with SEEDS=n seeds, on real processes; writes the table of docs/reliability.md
	@PYTHONPATH=tests $(BIN)/python -m faults --seeds $(SEEDS) $(ARGS)

check: lint types imports compose-check dockerfile-check ## everything below that reads but does not run

lint: setup-dev ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup-dev ## mypy, strict
	@$(BIN)/mypy

imports: setup-dev ## import-linter: who may import whom
	@$(BIN)/lint-imports

compose-check: setup-dev ## docker-compose.yml against the Compose specification
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

dockerfile-check: setup-dev ## hadolint
	@$(BIN)/hadolint Dockerfile

format: setup-dev ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## write the lock files anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@PYTHON=$(PYTHON) scripts/lock $(ARGS)

setup: ## .venv with what Tocsin needs to run
	$(setup) run

setup-dev: ## .venv with what the tests and checks need too
	$(setup) dev

clean: ## remove .venv, caches and build results; data/ stays
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
