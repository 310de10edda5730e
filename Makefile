# Every target works on a fresh machine with Python 3.11 and make: `.venv` is made if it is absent.

PYTHON ?= $(shell for p in python3.11 python3; do $$p -c "" 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-fast lint format docs notebooks benchmark check-results benchmark-speed

# TensorFlow tells of its build at every start; the demo's own lines would drown in it.
export TF_CPP_MIN_LOG_LEVEL ?= 3

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with mmzoo (editable), DeepReg and the pinned versions

# DeepReg comes last and without its dependencies: its metadata pins TensorFlow 2.3.1.
$(INSTALLED): setup.cfg pyproject.toml constraints.txt packaging/mmzoo_backend.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[deepreg,dev,benchmark,docs]"
	$(BIN)/python -m pip install --quiet --no-deps deepreg==0.1.2
	touch $@

# laptop takes minutes for the demo and up to two hours for a paper; smoke only shows that all runs.
SCALE ?= laptop
DEMO := demo/$(SCALE)
PEOPLE_laptop := --size 48 48 48 --cases 40 --folds 10
PEOPLE_smoke := --size 16 16 16 --cases 4 --folds 2 --valid 1
LAST_laptop := 5
LAST_smoke := 1

demo: install ## make heart phantoms, train, predict, evaluate: ten minutes on two cores
	$(BIN)/mmzoo phantom heart --out $(DEMO)/data $(PEOPLE_$(SCALE))
	$(BIN)/deepreg_train -g "" --log_root $(DEMO) -l train -c \
	    configs/mmregnet/mmregnet.yaml $(DEMO)/data/fold0.yaml configs/scale/$(SCALE).yaml
	$(BIN)/deepreg_predict -g "" --log_root $(DEMO) -l predict -m test \
	    -k $(DEMO)/train/save/ckpt-$(LAST_$(SCALE))
	$(BIN)/mmzoo evaluate $(DEMO)/predict

# What is traced and compiled stays in memory as long as its process, so the tests run in several
# sessions, each in new ones. The last has Keras 3, the others DeepReg's Keras 2. What XLA compiles
# in one is there for the next, in a folder of this run.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
TRAININGS := tests/deepreg --ignore=tests/deepreg/methods
METHODS := $(addprefix tests/,deepreg/methods contracts inference models)
TENSORS := $(addprefix tests/,layers losses networks ops)
PAIRS := $(addprefix tests/,registration benchmarks docs)
EITHER := $(addprefix tests/,layers losses models networks)
OTHERS := tests $(addprefix --ignore=,tests/deepreg $(METHODS) $(TENSORS) $(PAIRS))
FAST := $(addprefix tests/,test_api.py test_checks.py test_config_merge.py test_errors.py \
    test_gates.py test_import_rules.py test_framework.py cli/test_list.py cli/test_start.py contracts/test_plugins.py \
    deepreg/test_autoload.py deepreg/test_config.py deepreg/test_plugins.py io layers metrics ops \
    spatial)

test: SELECT := -m "not long"
test: install ## run the tests, two files at a time, in six sessions
	$(RUN_TESTS)

test-all: install ## ... and the long ones: further rows of tables, every notebook
	$(RUN_TESTS)

define RUN_TESTS
	@export MMZOO_COMPILATION_CACHE=$$(mktemp -d); trap 'rm -rf $$MMZOO_COMPILATION_CACHE' EXIT; \
	failed=0; for part in "$(TRAININGS)" "$(METHODS)" "$(TENSORS)" "$(PAIRS)" "$(OTHERS)"; do \
	    $(PYTEST) $(SELECT) $$part || failed=1; \
	done; \
	TF_USE_LEGACY_KERAS=0 $(PYTEST) $(SELECT) $(EITHER) || failed=1; exit $$failed
endef

test-fast: install ## two minutes: rules, pieces and their contracts, without trainings
	$(PYTEST) $(FAST)

lint: install ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The variable keeps MkDocs Material from telling of its successor at every start.
docs: install ## build the site of the documentation in site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Notebooks are committed as they were executed; their source is the script beside each.
notebooks: install ## make and execute the notebooks of the documentation from their scripts
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python packaging/notebooks.py

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# A paper's tables, claims and figures: PAPER=mmregnet, DATA=phantom or a prepared folder,
# SCALE=smoke, laptop, night or paper, GPU=0 for the first GPU, PROFILE for a cluster: docs/benchmark.md.
# The same command goes on where it stopped.
PAPER ?= mmregnet
DATA ?= phantom
GPU ?=
PROFILE ?=

benchmark: install ## reproduce a paper: PAPER=mmregnet SCALE=smoke|laptop|night|paper DATA=phantom|DIR
	$(BIN)/python benchmarks/run.py $(PAPER) --scale $(SCALE) --data $(DATA) --gpu "$(GPU)" \
	    $(if $(PROFILE),-- --profile $(PROFILE))

check-results: install ## say which committed pages were made by other code than today's
	$(BIN)/python -m benchmarks.engine.freshness

# MONAI_PYTHON: a Python with torch and monai; OLD_PYTHON: Python 3.8 with tensorflow==2.3.1 and
# deepreg==0.1.2; without them their columns are left out. The same command goes on where it stopped.
MONAI_PYTHON ?=
OLD_PYTHON ?=

benchmark-speed: install ## time and memory of pieces and training steps beside other forms
	$(BIN)/python -m benchmarks.speed --monai-python "$(MONAI_PYTHON)" \
	    --old-python "$(OLD_PYTHON)"
