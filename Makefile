# Two commands are all a reader needs: `make demo` and `make test`. Each makes .venv by itself.
#
#   make demo        train on the digits and leave pictures and tables in runs/digits
#   make test        all tests; those that need more than `make everything` has installed are skipped
#   make everything  install all that a developer needs: PyTorch, Chromium and its driver, linters, notebooks
#   make lint        style and types; make lint-fix mends what can be mended
#   make size        lines and tokens of each room
#   make bench       one training step, timed beside others; make bench-peers installs the others first
#   make lab         every claim of the lab, measured
#   make lessons     build the notebooks of the lessons anew
#   make fuzz        N random programs, here in every way and on PyTorch
#   make clean       remove .venv and what was built

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
RUFF := --line-length 120 --target-version py310
RULES := --select E,F,W,I,B,UP,C4,SIM,RUF --ignore RUF001,RUF002,RUF003,RUF005,RUF022,RUF023,RUF100,B905,SIM300,E731 \
	--per-file-ignores "__init__.py:F401,__init__.py:F403,*.pyi:E501"
# RUF001-3: Korean and Greek are no typing errors; RUF022-23, RUF005: order and + are a matter of reading;
# RUF100: what one version of ruff calls unused another needs; B905: zip stops at the shorter on purpose;
# SIM300, E731: as it reads best.

.PHONY: help demo test everything lint lint-fix size bench bench-peers lab lessons fuzz clean

help:
	@sed -n 's/^#   //p' Makefile

.venv/made:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10))" || \
		{ echo "tinygrad_relu needs Python 3.10 or later; choose one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	@touch $@

# One stamp for each extra: installed once, and again when setup.cfg changes.
.venv/with-%: .venv/made setup.cfg pyproject.toml
	@echo "installing tinygrad_relu[$*] into .venv"
	@$(PIP) --editable ".[$*]"
	@touch $@

demo: .venv/with-demo
	.venv/bin/tinygrad-relu train --data digits --hidden 64,32 --activation relu --out runs/digits

test: .venv/with-demo .venv/with-test
	@$(PY) -c "import torch, playwright" 2>/dev/null && $(CHROMIUM) >/dev/null || \
		echo "PyTorch or a browser is not here, so the tests that need them are skipped; 'make everything' installs both."
	$(PY) -m pytest -n 2 $(PYTEST)

CHROMIUM := command -v chromium || command -v chromium-browser || command -v google-chrome

# Chromium from Debian's packages; elsewhere any that is on the PATH will do.
everything: .venv/with-demo .venv/with-test .venv/with-dev
	@$(CHROMIUM) >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }

lab: .venv/with-demo
	.venv/bin/tinygrad-relu lab all --out runs/lab

lessons: .venv/with-demo .venv/with-dev
	$(PY) examples/lessons/build.py

# Random programs, here and on PyTorch: make fuzz N=100000
N ?= 1000
fuzz: .venv/with-test .venv/with-dev
	cd tests && ../$(PY) -m fuzz $(N)

lint: .venv/with-dev
	$(PY) -m ruff check $(RUFF) $(RULES) .
	$(PY) -m ruff format $(RUFF) --exclude "*.pyi" --check .
	$(PY) -m mypy
	$(PY) -m mypy --strict --follow-imports=silent examples/typed.py
	$(PY) -m pyright --warnings examples/typed.py

lint-fix: .venv/with-dev
	$(PY) -m ruff check $(RUFF) $(RULES) --fix .
	$(PY) -m ruff format $(RUFF) --exclude "*.pyi" .

bench: .venv/with-demo
	$(PY) examples/bench/train_step.py
	$(PY) examples/bench/scalars.py

# tinygrad compiles its kernels with clang; elsewhere than on Debian it is left out unless clang is on the PATH.
bench-peers: everything .venv/with-peers
	@command -v clang >/dev/null || { apt-get update -qq && apt-get install -y -qq clang >/dev/null; } || true
	$(MAKE) bench

size: .venv/made
	@$(PY) examples/bench/size.py

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
