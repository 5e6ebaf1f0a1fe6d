# Builds the book and proves it. Every target first sets up .venv (tools/venv) where that is needed.
# GNU make; paths with spaces are fine. `make` alone lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help book test serve lock lint nbval drift mutants oracle ranks relock clean venv
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PORT ?= 8000
PYTHON ?=
BIN := .venv/bin
PAGES := _build/html

# The book is the same on every machine: nobody's own settings take part in building or testing it.
export PYTHON IPYTHONDIR MPLCONFIGDIR
IPYTHONDIR := $(CURDIR)/.venv/var/ipython
MPLCONFIGDIR := $(CURDIR)/.venv/var/matplotlib
# Several kernels share the cores, and the chapters' matrices are small: threads that wait for each other cost
# ten times what they save.
export OPENBLAS_NUM_THREADS := 1
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONWARNINGS PYTHONOPTIMIZE MATPLOTLIBRC
unexport PYTEST_ADDOPTS JUPYTER_PATH JUPYTER_CONFIG_DIR

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
	    while IFS='	' read -r target promise; do printf 'make %-7s %s\n' "$$target" "$$promise"; done

book: venv ## build the book, strictly, into _build/html
	@$(BIN)/python tools/book.py

test: venv ## build the book, then prove it: lint, types, every cell, every page
	@tools/chromium >/dev/null
	@# One run shows all that is wrong: a red step does not hide the next one.
	@status=0; \
	$(BIN)/python tools/book.py || status=1; \
	$(BIN)/ruff check --quiet || status=1; \
	$(BIN)/mypy || status=1; \
	CHROMIUM="$$(tools/chromium)" $(BIN)/pytest --nbval tests book src || status=1; \
	exit $$status

serve: venv ## show the built book at http://127.0.0.1:8000 (PORT=8001 for another port)
	@test -f $(PAGES)/index.html || $(BIN)/python tools/book.py
	@$(BIN)/python tools/serve.py $(PORT)

lock: book ## accept the figures as they stand into book/figures.lock, after showing what changed
	@$(BIN)/python -m bookproof lock

lint: venv ## check the style and the types of the code
	@$(BIN)/ruff check
	@$(BIN)/mypy

nbval: book ## run every cell of every chapter again and compare it with the built book
	@$(BIN)/pytest --nbval book

drift: book ## plant every kind of drift in a copy of the book, and see what catches it (half an hour)
	@$(BIN)/python tools/drift.py

mutants: venv ## change the engine in one place at a time, and see that its tests notice (a quarter of an hour)
	@$(BIN)/python tools/mutants.py --check

oracle: venv ## add PyTorch to .venv and record anew what the engine is compared with
	@tools/pytorch
	@$(BIN)/python tools/oracle

ranks: venv ## run the chapter on many workers over MPI, and record its results for who has none
	@$(BIN)/python tools/ranks.py

relock: venv ## renew requirements.lock from requirements.txt and requirements-test.txt
	@tools/relock

clean: ## remove what was built (not .venv)
	@rm -rf _build build src/*.egg-info
	@rm -rf .hypothesis .jupyter_cache .mypy_cache .pytest_cache .ruff_cache
	@find book src tests tools -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

venv:
	@tools/venv
