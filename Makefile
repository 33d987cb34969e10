# Two commands lead: `make run` starts the web chat, `make test` checks everything.
PY ?= python3
BIN = .venv/bin
.DEFAULT_GOAL := run
.PHONY: setup run test lint bench

setup: .venv/app.stamp

.venv/app.stamp: pyproject.toml constraints.txt
	@$(PY) -c 'import sys; sys.exit("error: Python 3.11 or newer is needed; set PY=python3.11") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PY) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/dev.stamp: .venv/app.stamp
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: .venv/app.stamp
	@$(BIN)/interviewer index --if-needed
	@$(BIN)/interviewer serve

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: .venv/dev.stamp lint
	$(BIN)/interviewer cards check
	$(BIN)/python -m pytest

bench: .venv/dev.stamp
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/retrieval.py
	$(BIN)/python benchmarks/grading.py
