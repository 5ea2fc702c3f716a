# make demo    optimize three of the shipped examples on this machine's best device
# make test    the test suite, with types, style and the order of imports
# make test-all   the same with the tests that take longest: some minutes more
# make check   the quick part of it
# make clean   remove the environment and everything that was generated
#
# PYTHON=python3.12        another interpreter (3.11 to 3.13)
# PIP_EXTRA="--extra-index-url URL"   more arguments for pip, e.g. for PyTorch's small CPU build: see README.md
# BUDGET=60s               time for each of the demo's problems
# WORKERS=2                parallel test processes

PYTHON ?=
PIP_EXTRA ?=
BUDGET ?= 60s
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help environment system demo test test-all check static clean

help:
	@sed -n '/^# /s/^# //p' Makefile

system:
	@scripts/system-packages

environment: system
	@PYTHON="$(PYTHON)" PIP_EXTRA="$(PIP_EXTRA)" scripts/environment

demo: environment
	@BUDGET="$(BUDGET)" scripts/demo

static: environment
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright --pythonpath $(BIN)/python

test: static
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not thorough"

test-all: static
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: static
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow and not thorough and not cuda" --ignore=tests/hostile

clean:
	rm -rf $(VENV) build dist kernelwright-out .pytest_cache .ruff_cache .hypothesis .import_linter_cache src/*.egg-info
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
