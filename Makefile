# `make help` lists the targets.

VENV   := .venv
PYTHON := $(VENV)/bin/python
FLASK  := $(PYTHON) -m flask --app wsgi
# Thousands of databases and indexes are made and thrown away. In memory, if it has the room and may hold
# programs, none of them waits for a disk.
IN_MEMORY := $(shell [ "$$(df -Pk /dev/shm 2>/dev/null | awk 'END { print $$4 }')" -gt 4000000 ] 2>/dev/null \
	&& ! grep -q ' /dev/shm .*noexec' /proc/mounts && echo TMPDIR=/dev/shm)
# Files stay together, for their fixtures, and in order: the dear ones come first. Four processes, one of them
# on PostgreSQL, use two processors while some wait for a server; unit tests wait for nothing, and each process
# costs 15 s of a processor for its start, and a browser and servers of its own.
PYTEST := $(IN_MEMORY) $(PYTHON) -m pytest --dist loadfile --no-loadscope-reorder
BOOK   := books/physical-ai
TITLE  := Physical AI & Humanoid Robotics Textbook
SITE   := https://mohsin-raza-developer.github.io/Physical-AI-Humanoid-Robotics-Textbook/

# Hundreds of processes start in the tests, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test unit fuzz lint format audit bench bench-peers bench-books faults soak eval eval-model widget clean
.DEFAULT_GOAL := help

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/run.stamp ## Start the service with the book that comes with it, and print its address
	@$(PYTHON) -m ragbot.server.preflight
	@echo "Preparing the database, and the book if none is there yet ..."
	@$(FLASK) db upgrade 2>/dev/null || $(FLASK) db upgrade
	@$(FLASK) book ingest $(BOOK) --title "$(TITLE)" --site-url $(SITE) --if-none
	@exec $(PYTHON) -m gunicorn -c python:ragbot.serving wsgi:app

test: $(VENV)/dev.stamp ## Run the whole test suite, what rests on a database on SQLite and on PostgreSQL
	@mkdir -p var; TEST_DATABASE=postgresql $(PYTEST) -n 0 >var/test-postgresql.txt 2>&1 & postgresql=$$!; \
	$(PYTEST) -n 3; sqlite=$$?; \
	wait $$postgresql; postgresql=$$?; \
	echo "On PostgreSQL:"; cat var/test-postgresql.txt; \
	exit $$((sqlite | postgresql))

unit: $(VENV)/dev.stamp ## Run the unit tests: all but those that start processes or open a database
	@$(PYTEST) -n 2 --ignore tests/system -m "not server and not database"

fuzz: $(VENV)/dev.stamp ## Run the property tests on eighty times as many examples, new ones each time
	@FUZZ_FACTOR=80 $(PYTHON) -m pytest -n 2 --timeout 3600 $$(grep -rl '^ *@fuzz(' tests --include='test_*.py')

lint: $(VENV)/dev.stamp ## Check style and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

format: $(VENV)/dev.stamp ## Put the code into its style
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

audit: $(VENV)/dev.stamp ## Ask PyPI whether a package has a known vulnerability
	@PYTHON=$(PYTHON) deploy/audit.sh

bench: $(VENV)/dev.stamp ## Measure what an answer costs
	@$(PYTHON) -m bench.run

bench-peers: $(VENV)/dev.stamp ## Compare what an answer costs with a plain Flask app; ARGS="--database postgresql --write"
	@$(PYTHON) -m bench.peers.run $(ARGS)

bench-books: $(VENV)/dev.stamp ## Measure how well real books are read; BOOKS=DIR has a folder for each (bench/README.md)
	@$(PYTHON) -m bench.books $(BOOKS)

faults: $(VENV)/dev.stamp ## Kill workers and servers under load, and count what readers lost (some 15 minutes)
	@$(PYTHON) -m bench.faults

soak: $(VENV)/dev.stamp ## Ten minutes of mixed traffic with faults and kills, and what held
	@$(PYTHON) -m bench.soak

eval: $(VENV)/run.stamp ## Ask the questions of the set that belongs to the shipped book
	@$(FLASK) eval eval/physical-ai.jsonl

eval-model: $(VENV)/run.stamp ## Ask a real small model those questions; ARGS="--sample 40" asks a part of them
	@$(PYTHON) -m bench.eval_model $(ARGS)

widget: ## Build the reader's widget from its source, with node and npm
	@npm ci --prefix widget --silent --no-audit --no-fund
	@cd widget && node build.mjs

clean: ## Remove the virtual environment and every cache; the database stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/run.stamp: requirements.txt deploy/make-venv.sh
	@deploy/make-venv.sh $(VENV) requirements.txt
	@touch $@

$(VENV)/dev.stamp: $(wildcard requirements*.txt) deploy/make-venv.sh
	@deploy/make-venv.sh $(VENV) requirements-dev.txt
	@touch $(VENV)/run.stamp $@
