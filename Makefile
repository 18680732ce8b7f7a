# Everything is done by scripts/, which need Rust and Python 3.11 and install the rest into .venvs/.
PYTHON ?= $(shell scripts/find-python)
STEPS ?=
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long bench wheels clean

help: ## this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo
	@echo "XRAY_DEMO_FAULT=0..5 plants a mistake in the demo's tag page: 1 N+1, 2 slow query, 3 hot function,"
	@echo "4 slow C call, 5 GIL hog. XRAY_PYTHONS='3.11 3.12' or paths choose the Pythons (3.11 to 3.15 if present)."

setup: ## virtual environments in .venvs/, with the extension built and installed
	@$(PYTHON) scripts/setup.py demo

demo: ## a 20-second X-Ray session on a Django site under load: session.xr, session.html
	@$(PYTHON) scripts/demo.py

test: ## all checks: rustfmt, clippy, licences, nextest, ruff, mypy, stubtest, pytest (STEPS="ruff pytest": only these)
	@$(PYTHON) scripts/test.py $(STEPS)

test-long: ## what takes long: 5,000 requests per route compared, kill -9 at 20 instants, servers, frameworks' own suites
	@XRAY_PYTEST="-m 'long or matrix'" $(PYTHON) scripts/test.py pytest

bench: ## what xray costs, compared with cProfile: benches/results/, and the table made from them
	@$(PYTHON) scripts/bench.py

wheels: ## a wheel for each Python and the source archive, in dist/, each tried out in an empty environment
	@$(PYTHON) scripts/wheels.py

clean: ## remove what was built: target/, .venvs/, .build/
	rm -rf target .venvs .build dist session.xr session.html
