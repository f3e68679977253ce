# All a developer types: make demo, make check test bench. Needs python3.11 (or later) and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
ARGS ?=
# Tests are spread over so many processes: tests/spreading.py. Two fill two cores but for what waits
# for disks and other processes: a third one has that.
PROCESSES ?= 3
# Tests start many servers: without compiled modules each start costs seconds.
unexport PYTHONDONTWRITEBYTECODE

# Made anew only when what they depend on has changed: a second call installs nothing.
UV := .venv/stamps/uv
PACKAGES := .venv/stamps/packages
INSTALLED := .venv/stamps/installed

.PHONY: demo test check bench bench-full schema lock setup

demo: $(INSTALLED)
	@$(BIN)/python -m server.graphiql.install
	@$(BIN)/loyalty demo $(ARGS)

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-full: $(INSTALLED)
	@$(BIN)/python -m benchmarks --full $(ARGS)

# The committed SDL and the table of permissions, after a change of the schema.
schema: $(INSTALLED)
	@$(BIN)/python -m graphql_schema.export

setup: $(INSTALLED)

# Versions move only here. No lock names an index host.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --upgrade \
	--custom-compile-command "make lock"
lock: $(UV)
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --extra dev pyproject.toml -o requirements-dev.lock
	echo uv | $(COMPILE) - -o requirements-uv.lock

$(UV): requirements-uv.lock
	@test -n "$(PYTHON)" || { echo "python3.11 or later is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python3.11 or later is needed")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@mkdir -p $(@D) && touch $@

$(PACKAGES): requirements-dev.lock $(UV)
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python $<
	@mkdir -p $(@D) && touch $@

# The project itself, editable. Syncing the packages removes it, hence after them.
$(INSTALLED): pyproject.toml $(PACKAGES)
	@$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python -e .
	@touch $@
