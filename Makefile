# The project's commands. Each makes .venv when it is missing or when the lock has changed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Where CPU builds of torch come from; set it empty to take your own index's build (on Linux: CUDA).
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
BIN := .venv/bin
STAMP := .venv/installed-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
# One file of tests stays in one process, so that its fixtures are made once.
PYTEST = OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest -q -n 2 --dist loadfile
# A killed run leaves Snakemake's lock behind.
UNLOCK = if [ -n "$$(ls -A .snakemake/locks 2>/dev/null)" ]; then $(BIN)/snakemake --unlock --quiet all; fi
# One line per job; the end of a failed job's log is shown.
SNAKEMAKE = PYTHONPATH=workflow/plugins $(BIN)/snakemake --logger lines
TORCH := $(shell grep '^torch==' requirements.lock)

.DEFAULT_GOAL := help
.PHONY: help install demo tour test test-all check bench notebooks notebooks-strip clean

help: ## show these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

install: $(STAMP) ## make .venv with the locked versions

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$(PYTHON): too old or missing; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || { rm -rf .venv; $(PYTHON) -m venv .venv; }
	@rm -f .venv/installed-*
	@index="$(TORCH_INDEX)"; \
	if [ -n "$$index" ] && ! $(BIN)/python -c "import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=10)" "$$index/torch/" 2>/dev/null; \
	then echo "torch: $$index is out of reach, taking the configured index"; index=""; fi; \
	$(BIN)/python -m pip install -q $${index:+--extra-index-url "$$index"} "$(TORCH)"
	$(BIN)/python -m pip install -q -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## a first look: results/demo/site/index.html
	@$(UNLOCK)
	@$(SNAKEMAKE) >/dev/null
	@cat results/demo/tables/embedded.md
	@echo "Open results/demo/site/index.html"

tour: $(STAMP) ## more systems, sweeps and latency: results/tour/site/index.html
	@$(UNLOCK)
	@$(SNAKEMAKE) --configfile config/tour.yaml >/dev/null
	@cat results/tour/tables/embedded.md
	@echo "Open results/tour/site/index.html"

test: $(STAMP) ## run the fast tests, a few minutes on two cores
	$(PYTEST) -m "not slow"

test-all: $(STAMP) ## run all tests: subprocesses, workflows, browser, notebooks, more random examples
	$(PYTEST) --hypothesis-profile thorough

check: $(STAMP) ## formatting, types, layers, workflow lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/python workflow/scripts/notebooks.py check notebooks

bench: $(STAMP) ## side-by-side measurements, each printing ratios
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

notebooks: $(STAMP) ## execute the notebooks on the demo's results
	@test -e results/demo/config.yaml || { echo "results/demo is missing; run make demo first"; exit 1; }
	@mkdir -p results/demo/notebooks
	$(BIN)/python workflow/scripts/notebooks.py run notebooks results/demo/notebooks

notebooks-strip: $(STAMP) ## take outputs out of the notebooks, as they are committed
	$(BIN)/python workflow/scripts/notebooks.py strip notebooks

clean: ## remove results and the workflow's state; downloads and finished shards stay in cache/
	rm -rf results/demo results/tour .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
