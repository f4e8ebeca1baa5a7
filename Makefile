PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test coverage lint docs docs-links clean

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "likely needs Python 3.11 or newer; use make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(VENV)/ready
	$(BIN)/likely demo -o demo --overwrite

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

coverage: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --cov --cov-report=term:skip-covered

$(VENV)/docs: $(VENV)/ready
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

docs: $(VENV)/docs
	OMP_NUM_THREADS=2 $(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo 'open docs/_build/html/index.html'

docs-links: $(VENV)/docs
	$(BIN)/sphinx-build --builder linkcheck --quiet docs docs/_build/links

clean:
	rm -rf $(VENV) demo docs/_build docs/reference/commands .mypy_cache .pytest_cache .ruff_cache .coverage
