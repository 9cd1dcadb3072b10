# One command each; `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
FROZEN := pyproject.toml constraints.txt
# Processes of tests, for two cores: one of three always waits for something.
JOBS ?= 3
# One torch thread per test process: two processes that share two cores are slower with more. And modules are compiled
# once, not in each of the hundreds of processes that the tests start.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
BESIDE := -n $(JOBS) --dist worksteal

# Of the scripts in benchmarks/ it is checked that what they call is there and called so, not every type.
LOOSE := --config-file= --cache-dir .mypy_cache/benchmarks --ignore-missing-imports \
	$(foreach code,arg-type assignment misc operator type-var,--disable-error-code $(code))

.PHONY: help demo env test test-whole test-long test-faults static check fix bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: $(VENV)/.runtime ## a small search on synthetic data, start to finish
	$(BIN)/marsearch demo

# Passwords are random letters from the kernel. `set -C`: a file that appears meanwhile is not overwritten.
env: ## .env for docker-compose, passwords at random; one that is there stays
	@if [ -e .env ]; then echo ".env is there already and stays as it is"; exit 0; fi; \
	random() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }; \
	uid=$$(id -u); gid=$$(id -g); \
	if [ "$$uid" = 0 ]; then uid=$${SUDO_UID:-1000}; gid=$${SUDO_GID:-1000}; fi; \
	files=docker-compose.yml; torch=https://download.pytorch.org/whl/cpu; \
	if nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then files=$$files:docker-compose.gpu.yml; torch=; fi; \
	mkdir -p data bundles && { [ "$$(id -u)" != 0 ] || chown "$$uid:$$gid" data bundles; } && umask 077 && set -C && \
	sed -e "s|^POSTGRES_PASSWORD=.*|POSTGRES_PASSWORD=$$(random)|" \
		-e "s|^MARSEARCH_DASHBOARD_PASSWORD=.*|MARSEARCH_DASHBOARD_PASSWORD=$$(random)|" \
		-e "s|^MARSEARCH_UID=.*|MARSEARCH_UID=$$uid|" -e "s|^MARSEARCH_GID=.*|MARSEARCH_GID=$$gid|" \
		-e "s|^COMPOSE_FILE=.*|COMPOSE_FILE=$$files|" -e "s|^TORCH_INDEX_URL=.*|TORCH_INDEX_URL=$$torch|" \
		.env.example > .env && \
	echo "wrote .env with new passwords, for $$files; your data goes into ./data"

test: $(VENV)/.installed ## every test but whole searches and what takes minutes
	$(PYTEST) $(BESIDE) -m 'not whole and not long'

test-whole: $(VENV)/.installed ## searches by real processes: hosts, workers, databases, browsers that are killed, stopped, watched
	$(PYTEST) $(BESIDE) -m 'whole and not long'

test-long: $(VENV)/.installed ## the tests that take minutes
	TEST_EXAMPLES=all $(PYTEST) -m 'long or hypothesis' --timeout 1800

test-faults: $(VENV)/.installed ## one seed of chaos, and Optuna's suite for storages while statements fail: ten minutes
	$(PYTEST) 'tests/chaos/test_chaos.py::test_nothing_is_lost_whatever_happens[0]'
	$(PYTEST) $(BESIDE) tests/storage/test_injected_failures.py -k 'TestTroubledTrialStorage and after-3'

static: $(VENV)/.installed ## lint, format, types, import borders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=benchmarks:. $(BIN)/mypy $(LOOSE) benchmarks/*.py
	$(BIN)/lint-imports

check: static test ## what a change must leave green; CI runs test-whole and test-faults beside it

fix: $(VENV)/.installed ## repair what can be repaired by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed ## each benchmark prints one table; with the dashboard it takes half an hour
	@set -e; for name in training_step storage_load cold_study status dashboard; do \
		echo "== $$name"; $(BIN)/python "benchmarks/$$name.py"; \
	done

clean: ## forget the environment and the caches, keep ./runs
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else 1)' || \
		{ echo "marsearch needs Python 3.11 to 3.13, $(PYTHON) is something else: make PYTHON=python3.11 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# What running needs. PostgreSQL, S3 and the tools of the tests come with .installed.
$(VENV)/.runtime: $(FROZEN) | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed: $(FROZEN) | $(BIN)/python
	$(PIP) --editable '.[dev,postgres,s3]'
	@touch $(VENV)/.runtime $@
