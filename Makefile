# Everything starts from Python 3.11+ and make; nothing here needs root or Docker.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
UV := $(BIN)/uv
# Said to every install: else uv takes the environment that is active where make was called.
INTO := --python $(BIN)/python
LOCK := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --override requirements/overrides.in
export UV_LINK_MODE ?= copy
export PYTHONDONTWRITEBYTECODE ?=
# As pip does: behind a proxy with a certificate of its own, only the system knows it. A system without any has uv's own.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/pki/tls/certs/ca-bundle.crt),)
export UV_SYSTEM_CERTS ?= true
endif

.DEFAULT_GOAL := help
.PHONY: help setup dev run test test-long lint format smoke audit race crash stampede outage bench bench-write bench-cache cache-model bench-graphql lock clean coherence coherence-long

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# The stamp files say which lock an environment was made from.
$(BIN)/.uv: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "Yotei needs Python 3.11 or newer; none was found on PATH." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "$(PYTHON) cannot make virtual environments (Debian: install python3-venv)." >&2; rm -rf .venv; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(BIN)/.run: $(BIN)/.uv requirements/run.txt pyproject.toml
	@test -f $(BIN)/.dev || $(UV) pip sync $(INTO) --quiet --require-hashes requirements/uv.txt requirements/run.txt
	@test -f $(BIN)/.dev || $(UV) pip install $(INTO) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/.dev: $(BIN)/.uv requirements/dev.txt pyproject.toml
	@$(UV) pip sync $(INTO) --quiet --require-hashes requirements/uv.txt requirements/dev.txt
	@$(UV) pip install $(INTO) --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(BIN)/.run

setup: $(BIN)/.run ## Set up .venv to run Yotei

dev: $(BIN)/.dev ## Set up .venv to work on Yotei

run: $(BIN)/.run ## Run the server on an embedded PostgreSQL with demo data
	@exec $(BIN)/yotei run --demo

test: $(BIN)/.dev ## Set up what the tests need and run them all
	@sh ops/test-tools.sh && sh ops/browser.sh
	@$(BIN)/pytest

test-long: $(BIN)/.dev ## Ten thousand made-up GraphQL documents, ours beside the library's executor
	@$(BIN)/python -m tests.property.breadth.differences 10000

lint: $(BIN)/.dev ## Style, types, import direction
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(BIN)/.dev ## Put the code into the house style
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

smoke: ## A fresh clone: start, ask, kill, start again, stop
	@sh ops/smoke.sh

race: $(BIN)/.dev ## Many clients on two servers: nothing booked twice, nothing lost [SECONDS=60 SEED=1]
	@$(BIN)/python -m tests.stress.race --seconds $(or $(SECONDS),60) --seed $(or $(SEED),1)

crash: $(BIN)/.dev ## Kill servers and PostgreSQL under writing clients: nothing lost, nothing half [KILLS=20 SEED=1]
	@$(BIN)/python -m tests.stress.crash --kills $(or $(KILLS),20) --seed $(or $(SEED),1)

stampede: $(BIN)/.dev ## Many clients on one cold key of three servers: one load [CLIENTS=500]
	@$(BIN)/python -m tests.stress.stampede --clients $(or $(CLIENTS),500)

outage: $(BIN)/.dev ## PostgreSQL, Redis, Kafka stopped and held under three servers [PART=postgres|redis|kafka SECONDS=8]
	@$(BIN)/python -m tests.stress.outage --part $(or $(PART),all) --seconds $(or $(SECONDS),8)

coherence: $(BIN)/.dev ## Is what is read as fresh as promised, whatever fails [SECONDS=60 SEED=1 TRANSPORT=postgres|redis|kafka]
	@sh ops/test-tools.sh
	@$(BIN)/python -m tests.coherence --seconds $(or $(SECONDS),60) --seed $(or $(SEED),1) --transport $(or $(TRANSPORT),postgres)

coherence-long: $(BIN)/.dev ## The same until 1,000,000 reads are checked, for an hour at most [SEED=1 TRANSPORT=...]
	@sh ops/test-tools.sh
	@$(BIN)/python -m tests.coherence --seconds 3600 --reads 1000000 --rate 600 --seed $(or $(SEED),1) --transport $(or $(TRANSPORT),postgres)

# Node is asked for by the program itself, which says what becomes of the audit without it.
tests/audit/node_modules/.package-lock.json: tests/audit/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix tests/audit --ignore-scripts --no-audit --no-fund --silent && touch $@; fi

audit: $(BIN)/.dev tests/audit/node_modules/.package-lock.json ## Ask the GraphQL door what the audits of the field ask
	@$(BIN)/python -m tests.audit

bench: $(BIN)/.dev ## Micro-benchmarks as ratios, a table
	@$(BIN)/python bench/micro/run.py

bench-graphql: $(BIN)/.dev ## GraphQL in memory beside Strawberry, end to end beside bare SQL
	@$(BIN)/python -m bench.graphql

bench-write: $(BIN)/.dev ## Writes and bookings a second, beside the same rows by bare SQL
	@$(BIN)/python bench/write.py

bench-cache: $(BIN)/.dev ## The cache: its cost, hit rates, beside cashews and aiocache [PARTS="hit rates"]
	@$(BIN)/python -m bench.cache $(PARTS)

cache-model: $(BIN)/.dev ## Explore the rules of the cache in every small world
	@$(BIN)/python -m tests.model.cache

lock: $(BIN)/.dev ## Write the lock files anew
	@$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet requirements/uv.in -o requirements/uv.txt
	@$(LOCK) pyproject.toml requirements/build.in --extra kafka -o requirements/run.txt
	@$(LOCK) pyproject.toml requirements/build.in --extra kafka --extra dev -c requirements/run.txt -o requirements/dev.txt

clean: ## Remove environments and caches; .data is kept
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .tools build dist tests/audit/node_modules
