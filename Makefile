# Everything runs in .venv, which is made anew when what it is made from changes. Nothing is installed globally.
SHELL := bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
RUN ?=

.PHONY: help setup train test test-all test-lowest test-next check format sweep notebooks lab docs bench tensorboard clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/' | expand -t 16

setup: $(READY) ## make .venv with everything that training, tests and checks need

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, this is " + sys.version)'
	@echo "setting up .venv, which takes some minutes"
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

train: $(READY) ## train the published ReLU network on the circles; ARGS="optimizer.lr=0.03" changes it
	$(BIN)/python -m src.train model=circle_v2 data=circles $(ARGS)

sweep: $(READY) ## compare linear and ReLU networks of several sizes
	$(BIN)/python -m src.train experiment=linear_vs_relu $(ARGS)

test: $(READY) ## run the tests that take about a minute together
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow and not browser and not cluster' $(ARGS)

test-all: $(READY) ## run all tests, also whole sweeps, a browser, and as root clusters; measure coverage
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray,onnx]'
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not browser and not cluster' \
	  --cov --cov-report= --cov-fail-under=0 $(ARGS)
	$(BIN)/python -m pytest -m 'browser or cluster' --cov --cov-append $(ARGS)

test-lowest: .venv-lowest/ready ## run the tests of `make test` on the lowest versions that pyproject.toml allows
	.venv-lowest/bin/python -m pytest -n auto --dist worksteal -m 'not slow and not browser and not cluster' $(ARGS)

.venv-lowest/ready: pyproject.toml constraints-lowest.txt
	@echo "setting up .venv-lowest, which takes some minutes, and with torch for CUDA some gigabytes"
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt -e '.[dev]'
	touch $@

test-next: .venv-next/ready ## run the tests of `make test` on the next Hydra
	.venv-next/bin/python -m pytest -n auto --dist worksteal -m 'not slow and not browser and not cluster' $(ARGS)

.venv-next/ready: pyproject.toml constraints.txt constraints-next.txt
	@echo "setting up .venv-next, which takes some minutes"
	rm -rf .venv-next
	$(PYTHON) -m venv .venv-next
	grep -vE '^(antlr4-python3-runtime|hydra-core|omegaconf)==' constraints.txt > .venv-next/constraints.txt
	.venv-next/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c .venv-next/constraints.txt -c constraints-next.txt -e '.[dev]'
	touch $@

check: $(READY) ## format, lint, types, layers, and that notebooks and their Markdown agree
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/jupytext --test --update --to ipynb notebooks/*.md

format: $(READY) ## put the code into the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

notebooks: $(READY) ## run the notebooks, and write them with their outputs to outputs/notebooks
	$(BIN)/jupyter nbconvert --to notebook --execute --output-dir outputs/notebooks notebooks/*.ipynb

lab: $(READY) ## open the notebooks in JupyterLab
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab]'
	$(BIN)/jupyter lab notebooks

docs: $(READY) ## build the pages of docs/ as a site in outputs/docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs docs outputs/docs
	@echo "outputs/docs/index.html"

bench: $(READY) ## measure how fast it is, and write outputs/bench.json
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks.run $(ARGS)

tensorboard: $(READY) ## look at everything under outputs/ in TensorBoard
	$(BIN)/tensorboard --logdir outputs --samples_per_plugin images=100

clean: ## remove .venv and caches; outputs/ stays
	rm -rf .venv .venv-lowest .venv-next build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage* htmlcov
	find src tests benchmarks conf -name __pycache__ -prune -exec rm -rf {} +
