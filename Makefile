# make repro: set up and run the study.  make test: set up and run the checks.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)

.PHONY: repro test setup
repro: setup
	dvc repro

test: setup
	ruff check
	ruff format --check
	basedpyright
	pytest -n 2

setup: .venv/.done
.venv/.done: requirements.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=...')"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@
