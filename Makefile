# `make up` runs Setpoint on this machine; `make test` passes the tests. Both set themselves up.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: up test check bench clean servers
up: $(VENV)/.collector
	$(BIN)/setpoint up

test: $(VENV)/.dev servers
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev servers
	$(BIN)/python bench/decode.py
	$(BIN)/python bench/ingest.py
	$(BIN)/python bench/agent_cost.py
	$(BIN)/python bench/analysis.py --subjects 30 100 --days 10
	$(BIN)/python bench/delivery.py
	$(BIN)/python bench/snmp.py cost --devices 20 --ports 24

# The servers that the tests start; see tests/install-servers for what and why.
servers:
	@tests/install-servers

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "Setpoint needs Python 3.11 or newer; none was found on PATH." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || tests/install-servers python3-venv
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.collector: $(VENV)/.python pyproject.toml
	@echo "Installing Setpoint into $(VENV) (once, about a minute) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[collector]'
	@touch $@

$(VENV)/.dev: $(VENV)/.collector pyproject.toml
	@echo "Installing the development tools into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
