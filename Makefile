# Everything that is done with this tree. Needs make and Python 3.11 or newer; the rest is fetched into .venv.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench tools docs lab image

ARGS ?=
WORKERS ?= auto
export PYTHON
# Bytecode is kept, whatever the environment says, and in one place: without it every process compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/bytecode
BIN := .venv/bin
RUN := .venv/.installed-run
DEV := .venv/.installed-dev
PURE := spec analysis failover engine

help: ## Say what there is (this text)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(RUN) ## See it: a real Envoy, a good canary, two bad ones; ARGS="--headless -o json" are passed on
	@$(BIN)/rollout demo --ends-with $$PPID $(ARGS)

test: $(DEV) ## Run every test, with the real parts that are on this machine (`make tools` fetches them)
	@$(BIN)/pytest -n $(WORKERS) -m "not bench" --cov --cov-report=term $(ARGS)

check: export HYPOTHESIS_PROFILE ?= quick
check: $(DEV) ## Run what is quick: format, lint, types, layers, tests without real parts, coverage of the pure rooms
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted; run: $(BIN)/ruff format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@printf '%s\n' 'all other rooms' $(PURE) | WORKERS=$(WORKERS) xargs -P 2 -I '{}' .ci/unit '{}' $(PURE)

bench: $(DEV) ## Measure: the figures of docs/, on this machine
	@$(BIN)/pytest -n0 -m bench -p no:randomly --timeout=1800 --capture=no tests/bench $(ARGS)

tools: ## Fetch what tests use beside Python packages (Prometheus) into a cache outside the tree
	@.ci/tools

image: ## Build the image for both architectures (needs docker with buildx); ARGS="--push --tag REGISTRY/rollout:0.1.0"
	@.ci/image $(ARGS)

lab: $(DEV) ## Play with it on a real Envoy Gateway, with the controller and clients (after `make tools`, which needs Go)
	@$(BIN)/python -m tests.gateway

docs: $(DEV) ## Write the generated parts of docs/ and deploy/ again
	@$(BIN)/python -m tests.house.generate

$(RUN): pyproject.toml uv.lock .ci/install
	@.ci/install run

$(DEV): pyproject.toml uv.lock .ci/install
	@.ci/install dev
