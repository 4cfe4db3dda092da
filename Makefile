# Everything a developer or CI runs. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup run test check bench fuzz docs clean
SHELL := /bin/bash

export NO_MKDOCS_2_WARNING := 1

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Stamps make an up-to-date environment free: they are older than these files or nothing is done.
INPUTS := pyproject.toml constraints.txt

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

$(BIN)/python:
	"$$(scripts/find-python)" -m venv $(VENV)

$(VENV)/.runtime: $(INPUTS) | $(BIN)/python
	$(INSTALL) -e '.[remote]'
	@touch $@

$(VENV)/.develop: $(INPUTS) | $(BIN)/python
	$(INSTALL) -e '.[test,lint,docs,bench]'
	@touch $@ $(VENV)/.runtime

setup: $(VENV)/.develop ## create .venv with everything a developer needs

run: $(VENV)/.runtime ## start a node on http://localhost:8080, data under ./.aisle (ARGS="--port 9000")
	@exec $(BIN)/aisnode $(ARGS)

test: setup ## install what the tests need, then run all checks and tests (ARGS="-k upload")
	scripts/apt wrk curl zsh fish chromium
	scripts/services
	scripts/emulators
	scripts/sdks
	scripts/deploy-tools
	$(MAKE) --no-print-directory check
	$(if $(ARGS),$(BIN)/python -m pytest $(ARGS),scripts/suites)

check: setup ## format, lint, types, layers, documentation: seconds, run it often
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_docs.py
	$(BIN)/mkdocs build --strict --quiet --site-dir $(VENV)/site

bench: setup ## measure (ARGS passes on to python -m bench)
	scripts/apt wrk curl
	scripts/services
	scripts/emulators
	$(BIN)/python -m bench $(ARGS)

fuzz: setup ## feed one reader hostile bytes, guided by coverage (TARGET=xml SECONDS=600)
	$(INSTALL) -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz $(or $(TARGET),signature) $(or $(SECONDS),60)

docs: setup ## write the generated pages and build the site into ./site
	$(BIN)/python scripts/reference.py
	$(BIN)/mkdocs build --strict

clean: ## remove the environment and build products; data under ./.aisle stays
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
