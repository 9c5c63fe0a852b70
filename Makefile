# Two commands do everything on a fresh Debian 12 as root:  make demo   and   make test
# (they install what they need first; a second run finds it there and asks no registry).
PY      := .venv/bin/python
STAMP   := .venv/.ready
SHELL   := /bin/bash

.PHONY: help setup campaign check test unit coverage fuzz lab-test demo bench requirements wheel clean
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo          two hosts, a power cut under load, a takeover and the way home (KEEP=1 leaves the hosts up)
## make test          every test, the lab tests included
## make check         format, lint, types, import layers, unit tests: two minutes
## make fuzz          an hour of coverage-guided bad input (MINUTES=N); what it finds is in tests/fuzz/found
## make campaign HOURS=n  kills and power cuts by chance in the lab; keeps its result in docs/campaign.md
## make coverage      every branch of plan, verdict, journal and engine is tried by their own tests
## make bench         every claim of speed or size (ONLY=NAME for one)
## make requirements  each requirement A01-A72 with the tests that show it
## make setup         what the others call first: Debian packages, virtual environment, lab image

setup: $(STAMP)
$(STAMP): tools/setup.sh requirements-dev.txt lab/packages.txt
	@tools/setup.sh
	@touch $@

wheel: $(STAMP)
	@$(PY) tools/build_wheel.py

check: $(STAMP)
	@$(PY) -m ruff format --check -q . && $(PY) -m ruff check -q . && $(PY) -m mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache >/tmp/tanist-imports.$$$$ || { cat /tmp/tanist-imports.$$$$; rm -f /tmp/tanist-imports.$$$$; exit 1; }; rm -f /tmp/tanist-imports.$$$$
	@$(PY) -m pytest -q -n 2 tests/unit

unit: $(STAMP)
	@$(PY) -m pytest -q -n 2 tests/unit

coverage: $(STAMP)
	@$(PY) tools/coverage.py

fuzz: $(STAMP)
	@tests/fuzz/hunt.sh $(or $(MINUTES),60)

lab-test: $(STAMP) wheel
	@$(PY) -m pytest tests/lab

test: check-lint wheel
	@TANIST_EVERY_POINT=1 $(PY) -m pytest -n 2 --dist loadfile tests

check-lint: $(STAMP)
	@$(PY) -m ruff format --check -q . && $(PY) -m ruff check -q . && $(PY) -m mypy --no-error-summary && .venv/bin/lint-imports --no-cache | tail -3

campaign: $(STAMP) wheel
	@$(PY) -m tests.lab.campaign --hours $(or $(HOURS),1)

demo: $(STAMP) wheel
	@$(PY) -m lab.demo $(if $(KEEP),--keep)

bench: $(STAMP) wheel
	@$(PY) -m bench $(if $(ONLY),--only $(ONLY))

requirements: $(STAMP)
	@$(PY) tools/requirements.py

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache
