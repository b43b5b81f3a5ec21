# Everything runs in .venv, which `make venv` fills once; setup.cfg says what is installed.
# torch and torchvision must match: setup.cfg names ranges, each torchvision pins its one torch, and pip follows that pin.
# So install them in one pip call (as here), and never upgrade one of them alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Passed to every pip install. On Linux plain pip takes the CUDA build of torch (about 3 GB, also runs without a GPU).
# The small CPU build: make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_ARGS ?=
PYTEST_ARGS ?=
# Extras that are installed beside g4g; setup.cfg lists them all.
EXTRAS ?= dev,demo,docs,onnx

.PHONY: help venv demo test lint docs wheel clean

help:
	@echo "make venv    virtual environment in $(VENV) with g4g and all it needs: 3 to 5 min, once"
	@echo "make demo    dub the bundled portrait with the bundled voice into demo-output/: under 1 min (+ venv, once)"
	@echo "make test    run all tests: 10 to 14 minutes on two cores (+ venv, once); fewer: PYTEST_ARGS='-m \"not slow\"'"
	@echo "make lint    check style and types with ruff and mypy: half a minute (+ venv, once)"
	@echo "make docs    build the documentation into site/: 5 s (+ venv, once)"
	@echo "make wheel   build dist/g4g-*.whl, trained weights included: 10 s (+ venv, once)"
	@echo "make clean   remove $(VENV), build/, dist/, demo-output/ and caches: a few seconds"
	@echo "Variables: PYTHON=$(PYTHON)  PIP_ARGS=... (options for pip, see the Makefile's head for the CPU build of torch)"

venv: $(INSTALLED)

$(INSTALLED): setup.cfg pyproject.toml
	@echo "Installing g4g and its dependencies into $(VENV): 3 to 5 minutes, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -e ".[$(EXTRAS)]"
	$(BIN)/python -m pip check
	@touch $(INSTALLED)

demo: venv
	@echo "Dubbing the bundled portrait: under a minute."
	$(BIN)/python examples/demo.py

test: venv
	@echo "Running all tests: 10 to 14 minutes on two cores."
	$(BIN)/python -m pytest -q -n auto --dist loadfile $(PYTEST_ARGS)

lint: venv
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: venv
	$(BIN)/python -m mkdocs build --strict

wheel: venv
	@echo "Building the wheel into dist/: about 10 seconds."
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .
	@ls dist/*.whl

clean:
	rm -rf $(VENV) build dist site demo-output .pytest_cache .ruff_cache .mypy_cache g4g.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
