# Development commands; `make` alone lists them. CI runs `make check` and nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_FORMATS := h264:1080p25,h264:720p25,h264:2160p25,hevc:1080p25,av1:1080p25

.PHONY: help install demo test check format test-gpu bench bench-detectors clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with the tested versions; the command is .venv/bin/gpu-qa

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gpu-qa needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev -e .
	$(BIN)/gpu-qa doctor --compile
	touch $@

demo: install ## Synthesise a minute with planted faults, analyze it, write demo/report.html
	$(BIN)/python examples/demo.py demo

test: install ## Run the tests
	$(BIN)/python -m pytest

check: install ## What CI runs: format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

format: install ## Format and sort what can be
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-gpu: ## Tests, benchmarks and profiles on a machine with a card; skips are failures
	PYTHON=$(PYTHON) benchmarks/gpu.sh

bench: install ## Run the CPU benchmarks and write their results and the tables of docs/
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/many_streams.py
	$(BIN)/gpu-qa bench --device cpu --formats $(BENCH_FORMATS) --output gpu_qa/fleet/measured/cpu.json
	$(BIN)/python benchmarks/page.py

bench-detectors: install ## Plant every fault in clips, measure every detector, write docs/detection.md; CLIPS=DIR for your own
	$(BIN)/python -m benchmarks.detectors $(if $(CLIPS),--clips $(CLIPS))
	$(BIN)/python -m benchmarks.detectors --sweep all $(if $(CLIPS),--clips $(CLIPS))
	$(BIN)/python -m benchmarks.detectors.page

clean: ## Remove what make made
	rm -rf $(VENV) demo build dist
