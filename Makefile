# Every target works on a fresh machine with Python 3.11 and make: `.venv` is made if it is absent.

PYTHON ?= $(shell for p in python3.11 python3; do $$p -c "" 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types format

export TF_CPP_MIN_LOG_LEVEL ?= 2

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with mmzoo (editable), DeepReg and the pinned versions

# DeepReg comes last and without its dependencies: its metadata pins TensorFlow 2.3.1.
$(INSTALLED): setup.cfg pyproject.toml constraints.txt packaging/mmzoo_backend.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps deepreg==0.1.2
	touch $@

demo: install ## make heart phantoms, train, predict, evaluate: about ten minutes on two cores
	$(BIN)/mmzoo phantom heart --out demo/data --size 48 48 48 --cases 40 --folds 10
	$(BIN)/deepreg_train -g "" --log_root demo -l train \
	    -c configs/mmregnet/mmregnet.yaml demo/data/fold0.yaml configs/scale/laptop.yaml
	$(BIN)/deepreg_predict -g "" --log_root demo -l predict -k demo/train/save/ckpt-2 -m test
	$(BIN)/mmzoo evaluate demo/predict

test: install ## run the tests
	$(BIN)/python -m pytest

lint: install ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## check types
	$(BIN)/mypy

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
