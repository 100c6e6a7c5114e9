# make repro: set up and run the study.  make test: set up and run the checks.
# make lock: after a change of requirements.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := $(CURDIR)/.venv/bin
UV := $(BIN)/uv --quiet --no-config --system-certs pip
export PATH := $(BIN):$(PATH)

.PHONY: repro test types suite setup lock
repro: setup
	python -m guess_or_recall.io.site_cache
	dvc repro
	gor notes

test: setup
	ruff check
	ruff format --check
	$(MAKE) --no-print-directory --jobs 2 types suite

types:
	basedpyright

suite:
	pytest -n 3   # while one of the three waits for SLURM, two are at work

# torch is not in the lock. Its builds for CPUs and for each CUDA have one version and many hashes,
# and which of them fits is known to the machine (to its pip configuration) alone. What torch needs
# of Python stands in the lock, and the CUDA libraries of a build are pinned by the build.
setup: .venv/.done
.venv/.done: requirements.lock requirements.txt pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=...')"
	$(PYTHON) -m venv .venv
	awk '/^[^ #]/ {uv = /^uv==/} uv' requirements.lock > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(UV) install --no-deps --require-hashes --build-constraints requirements.lock -r requirements.lock
	grep '^torch==' requirements.txt > .venv/torch.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r .venv/torch.txt
	$(UV) install --no-deps --no-build-isolation --editable .
	touch $@

# Keeps every locked version that requirements.txt allows; for the newest, remove the lock before.
lock: setup
	echo torch | $(UV) compile requirements.txt --excludes /dev/stdin --universal \
		--fork-strategy fewest --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --output-file requirements.lock
	PYTHONPATH=src python -m guess_or_recall.settings.versions
