# SPDX-License-Identifier: Apache-2.0
# Set-up and checks in one place; `make help` lists them. PYTHON chooses the interpreter:
#   make demo PYTHON=python3.12      (run `make clean` first if .venv is there already)
# ROS_DISTRO chooses the ROS 2 of `make ros`: kilted or jazzy.
PYTHON ?= python3
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
TRAIN_BIN := .venv-train/bin
BENCH_BIN := .venv-bench/bin
ROS_BIN := .venv-ros/bin
DOCS_BIN := .venv-docs/bin
# What a sourced ROS leaves in the environment would take the place of the wheels.
ROS_ENV := env -u AMENT_PREFIX_PATH -u PYTHONPATH -u LD_LIBRARY_PATH -u RMW_IMPLEMENTATION
PIP := python -m pip install --disable-pip-version-check -q
CHECKED := pyproject.toml .ci/constraints-train.txt
BENCHMARKS := $(filter-out __init__ _% ros,$(basename $(notdir $(wildcard benchmarks/*.py))))
BENCH_PEERS := scipy torch torchaudio torchvision kaldi-native-fbank opencv-python-headless \
  mcap-ros2-support safetensors onnx allantools openvino
CORE_TESTS := tests --ignore=tests/engines

.PHONY: help demo test test-engines test-slow test-ros check docs bench ros ros-demo clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

demo: .venv/.core ## install the core in .venv and run the demo (about two minutes)
	$(BIN)/sensebind demo

test: .venv/.dev ## core tests (at most ten minutes)
	$(BIN)/python -m pytest $(CORE_TESTS) -m "not slow" -n auto -q

test-engines: .venv-train/.train ## tests of the factory (installs torch, CPU build)
	MUJOCO_GL=$${MUJOCO_GL:-egl} $(TRAIN_BIN)/python -m pytest tests/engines -m "not slow" -n auto -q

test-ros: ros .venv-ros/.dev ## tests of the ROS node, with real processes over real DDS
	$(ROS_ENV) $(ROS_BIN)/python -m pytest tests/ros_nodes tests/launch -m "not slow" -q

test-slow: .venv-train/.train ## every test, the long ones too
	MUJOCO_GL=$${MUJOCO_GL:-egl} $(TRAIN_BIN)/python -m pytest tests -n auto -q

check: .venv/.dev ## linter, formatter, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv-docs/.docs ## the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(DOCS_BIN)/python -m mkdocs build --strict -q

bench: .venv-bench/.bench ## benchmarks, with pinned peers; results in benchmarks/results
	@mkdir -p benchmarks/results
	for name in $(BENCHMARKS); do \
	  $(BENCH_BIN)/python -m benchmarks.$$name --out benchmarks/results/$$name.json; \
	done

ros: .venv-ros/.core ## ROS 2 and its messages in .venv-ros, without a ROS install (about two minutes)
	@$(ROS_ENV) $(ROS_BIN)/python ros_nodes/build_messages.py --distro $(or $(ROS_DISTRO),kilted)

ros-demo: ros ## the sample recording through real DDS; prints the labels another process receives
	@$(ROS_ENV) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_DISTRO=$(or $(ROS_DISTRO),kilted) \
	  $(ROS_BIN)/python -m sensebind_ros.demo

clean: ## remove environments, builds and caches
	rm -rf .venv .venv-train .venv-bench .venv-ros .venv-docs site build dist demo-out benchmarks/results
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# --- environments: each stamp is the last thing its recipe writes ---

.venv/.core: $(CHECKED)
	@$(call require-python)
	@echo "Installing SenseBind into .venv"
	$(PYTHON) -m venv .venv
	$(BIN)/$(PIP) -e .
	@touch $@

.venv/.dev: .venv/.core
	$(BIN)/$(PIP) -e '.[dev]'
	@touch $@

.venv-train/.train: $(CHECKED)
	@$(call require-python)
	$(PYTHON) -m venv .venv-train
	$(TRAIN_BIN)/$(PIP) -e '.[dev,train,recipes]' -c .ci/constraints-train.txt
	@touch $@

.venv-docs/.docs: $(CHECKED)
	@$(call require-python)
	$(PYTHON) -m venv .venv-docs
	$(DOCS_BIN)/$(PIP) -e '.[docs]'
	@touch $@

.venv-bench/.bench: $(CHECKED) benchmarks/constraints.txt
	@$(call require-python)
	$(PYTHON) -m venv .venv-bench
	$(BENCH_BIN)/$(PIP) -e . $(BENCH_PEERS) -c benchmarks/constraints.txt
	@touch $@

.venv-ros/.core: $(CHECKED)
	@$(call require-python)
	@echo "Installing SenseBind into .venv-ros"
	$(PYTHON) -m venv .venv-ros
	$(ROS_ENV) $(ROS_BIN)/$(PIP) -e .
	@touch $@

.venv-ros/.dev: .venv-ros/.core
	$(ROS_ENV) $(ROS_BIN)/$(PIP) -e '.[dev]' colcon-common-extensions
	@touch $@

# Debian and Ubuntu ship Python without venv and pip; say so before anything half-works.
define require-python
if ! command -v $(PYTHON) >/dev/null; then \
  echo "$(PYTHON) was not found; install Python 3.10 or newer, or name one: make demo PYTHON=python3.12" >&2; exit 1; \
fi; \
if ! version=$$($(PYTHON) -V 2>/dev/null); then \
  echo "$(PYTHON) does not start; name another: make demo PYTHON=python3.12" >&2; exit 1; \
fi; \
if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then \
  echo "$(PYTHON) is $$version, SenseBind needs Python 3.10 or newer; name one: make demo PYTHON=python3.12" >&2; exit 1; \
fi; \
if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
  echo "$(PYTHON) lacks venv or pip; install them with: sudo apt-get install python3-venv python3-pip" >&2; exit 1; \
fi
endef
