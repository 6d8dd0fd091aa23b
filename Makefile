# Two commands do it all: `make demo` and `make test`. Both set up what they need and skip what is there.

PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.set-up
# Two beside each other of what starts stacks and browsers, since most of it waits; tests/conftest.py says which of it never meets. The rest shares the cores.
SLOW := tests/integration tests/chaos tests/end_to_end
TWO := --numprocesses logical --maxprocesses 2 --no-loadscope-reorder
# A thread for each worker: more than there are cores would wait for each other, busily.
UNIT := OMP_NUM_THREADS=1 $(BIN)/pytest tests $(SLOW:%=--ignore %) --numprocesses logical --maxprocesses 4

.PHONY: setup demo test unit check up down docs lock

setup: $(SETUP)

$(SETUP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Loupe needs Python 3.11 or newer: install it, or name it with 'make PYTHON=/path/to/python3.12 ...'"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing: install it (Debian: apt install python3-venv)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m infra.embedded.fetch
	@touch $@

demo: setup
	$(BIN)/loupe up

test: setup
	$(BIN)/python -m infra.embedded.fetch --browser
	$(UNIT)
	$(BIN)/pytest $(SLOW) $(TWO)

unit: setup
	$(UNIT)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

up: setup
	$(BIN)/loupe up

down:
	$(BIN)/loupe down

# The pages that the code writes; tests compare them.
docs: setup
	$(BIN)/python -m services.contract.reference > docs/settings.md
	$(BIN)/python -m infra.filetree > docs/files.md

lock:
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 --no-annotate --no-header --quiet -o requirements.lock
