# `make demo` and `make test` need Python 3.11 or newer and make; everything else they set up here.
# All paths are relative, so that the checkout may lie anywhere.

PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$p; break; fi; done)
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check
RAGKIT := $(RUN) -m ragkit --index .demo-index --config configs/embedded.toml

.PHONY: demo test lint slow faults schemas lock messages clean

demo: $(VENV)/ready-run
	@echo '$$ ragkit index sample_docs'
	@$(RAGKIT) index sample_docs
	@echo
	@echo '$$ ragkit ask "How much does it cost to have an instrument inspected when it is out of warranty?"'
	@$(RAGKIT) ask "How much does it cost to have an instrument inspected when it is out of warranty?"
	@echo
	@echo '$$ ragkit ask "机房温度达到多少度会触发 A1 报警？"'
	@$(RAGKIT) ask "机房温度达到多少度会触发 A1 报警？"

test: $(VENV)/ready-dev
	$(RUN) -m pytest

lint: $(VENV)/ready-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

slow: $(VENV)/ready-dev
	$(RUN) -m pytest -m slow

# Every single write, sync and rename of a run as a place to fail, and hundreds of kills: takes hours.
faults: $(VENV)/ready-dev
	FAULT_POINTS=0 FAULT_CROWDS=100 FAULT_RACES=500 KILL_POINTS=200 FLIPS=500 $(RUN) -m pytest -m "slow or not slow" -s \
		tests/store/test_fault_points.py tests/store/test_kill.py tests/store/test_maintenance.py

# The JSON Schemas in docs/json/, made anew from the types of the outputs.
schemas: $(VENV)/ready-dev
	$(RUN) tools/json_schemas.py

# Needs uv; writes the two lock files anew.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra docs --extra embedded --extra eval --extra ocr --extra server --group dev pyproject.toml requirements/build.in -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra docs --extra embedded -c requirements/dev.txt pyproject.toml requirements/build.in -o requirements/run.txt

# After a sentence that people read was added or changed: the catalogues under ragkit/i18n/locale.
messages: $(VENV)/ready-dev
	$(RUN) tools/catalogues.py

clean:
	rm -rf $(VENV) .demo-index

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "ragkit needs Python 3.11 or newer, and none was found." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is missing: install it (on Debian: apt-get install python3-venv)." >&2; exit 1; }

$(VENV)/ready-run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing ragkit into $(VENV) (once; about half a gigabyte) ..."
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/ready-dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing ragkit and its test tools into $(VENV) (once) ..."
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/ready-run
