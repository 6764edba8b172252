# make figures | test | docs | test-docs | package | clean
#
# Each sets up all it needs in .venv/ of this folder, with the first Python 3.11, 3.12 or 3.13 that works; a second call is quick.
#   make figures PROFILE=laptop JOBS=4         another size, more cells at once
#   make test ARGS="-k layers"                 some of the tests
#   make test BACKEND=jax                      Keras on jax or torch in place of tensorflow; figures likewise
#   make test WORKERS=4                        more tests at once, each of some GB; 0: one, as --pdb wants it
#   make docs                                  _docs/index.html, without a network once .venv is there; a second call takes seconds
#   make package                               dist/: sdist and wheel, checked
#   make figures PYTHON=/path/to/python3.11    a Python of your own choice (make clean first, if .venv is there)

PROFILE ?= quick
JOBS ?= 2
BACKEND ?= tensorflow
WORKERS ?= 2
ARGS ?=
PYTHON ?=

PY := .venv/bin/python
FITS := import importlib.util as u, sys, venv; \
	sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13) and (u.find_spec("ensurepip") or u.find_spec("pip"))))

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MPLBACKEND := agg
export KERAS_BACKEND := $(BACKEND)
export TF_CPP_MIN_LOG_LEVEL := 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USE_PEP517 := 1
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX

# pip, Jupyter and matplotlib keep files in the home folder: lend them one if there is none that can be written
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.venv/home
endif

# a .venv that was moved, or whose Python is gone, is made again
$(shell test "$$(cat .venv/.made 2>/dev/null)" = "$$(pwd)" && $(PY) -c "" 2>/dev/null || rm -f .venv/.made)

.PHONY: help figures test docs test-docs package clean
.NOTPARALLEL:

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

figures: .venv/.paper .venv/.$(BACKEND)
	@.venv/bin/pumap run all --profile $(PROFILE) --jobs $(JOBS) $(ARGS)

test: .venv/.dev .venv/.$(BACKEND)
	@$(PY) -m pytest -q tests -n $(WORKERS) --dist worksteal $(ARGS)

docs: .venv/.docs .venv/.paper .venv/.onnx .venv/.$(BACKEND)
	@$(PY) docs/pages.py
	@rm -rf _docs
	@$(PY) -m sphinx -a -q -W --keep-going -c docs -d _pages/doctrees _pages/source _docs
	@echo "_docs/index.html"

test-docs: docs .venv/.dev
	@$(PY) -m pytest -q tests/site $(ARGS)

package: .venv/.package
	@rm -rf dist build pumap.egg-info/SOURCES.txt
	@$(PY) -m build --no-isolation --quiet
	@$(PY) -m twine check --strict dist/*

clean:
	rm -rf .venv _docs _pages _proc build dist pumap.egg-info figures/quick figures/smoke .snakemake nbs/.last_checked
	find . -path ./.git -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints -o -name .pytest_cache \) -prune -exec rm -rf {} +

.venv/.made:
	@if [ -n "$(PYTHON)" ]; then set -- "$(PYTHON)"; else set -- python3.12 python3.13 python3.11 python3 python; fi; \
	py=; for name in "$$@"; do if "$$name" -c '$(FITS)' >/dev/null 2>&1; then py=$$name; break; fi; done; \
	if [ -z "$$py" ]; then echo "No Python 3.11, 3.12 or 3.13 with pip that works among: $$*." \
		"Install one, or say where it is: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; fi; \
	echo "setting up .venv with $$("$$py" --version)"; \
	rm -rf .venv && mkdir -p .venv/home; \
	"$$py" -m venv .venv >/dev/null 2>&1 || { "$$py" -m venv --clear --without-pip .venv && mkdir -p .venv/home && \
		"$$py" -m pip --python $(PY) install --quiet pip; }
	@pwd > $@

.venv/.%: .venv/.made settings.ini setup.py
	@echo "installing what '$*' in settings.ini names (the first time: 3 GB on disk, some minutes)"
	@$(PY) -m pip install -qq --no-input -e '.[$*]'
	@touch $@ $(if $(filter dev,$*),.venv/.paper .venv/.package .venv/.tensorflow .venv/.jax) $(if $(filter paper,$*),.venv/.tensorflow)
