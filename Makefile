# Three verbs for work on the code: fix, check, test. One for a first look: demo.
# Everything happens in .venv, at the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test check docs tables bundled fix clean

help:
	@echo "make demo    train a small model on a film of our own, recognize an unseen video, look at demo/"
	@echo "make test    run the tests"
	@echo "make check   formatter, linter, type checker, layers"
	@echo "make tables  train the rows of docs/tables.md that are not in build/tables, and write it (some two hours)"
	@echo "make bundled train the recognizer that comes with the package (three quarters of an hour)"
	@echo "make docs    write docs/models.md anew from the sources"
	@echo "make fix     mend what formatter and linter can mend"
	@echo "make clean   remove .venv, demo/ and caches"

demo: .venv/installed
	$(BIN)/muybridge demo demo

test: .venv/installed-dev
	$(BIN)/python -m pytest --numprocesses 2

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tables: .venv/installed-dev
	$(BIN)/python making/tables.py

bundled: .venv/installed
	$(BIN)/python making/bundled.py

docs: .venv/installed
	$(BIN)/muybridge models --markdown > docs/models.md

fix: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv demo dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "muybridge needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo missing)." >&2; \
	  echo "Type: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/python pyproject.toml constraints.txt
	@echo "Installing muybridge and PyTorch into .venv (a few minutes the first time) ..."
	$(PIP) --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --editable '.[dev]'
	@touch $@
