# make verify   bring the spec's cluster up in the embedded lab by the scripts under provision/, judge it, destroy it
# make test     the project's own tests
# Both do their own set-up on a Debian machine, as root or with sudo.

PYTHON ?= python3
CLUSTER ?= provision/clusters/default.yaml
REPORTS ?= reports
NODE ?= m-k8s
RUNS ?= 20
VENV := .venv
LONG := seen_red stops
RUN := $(VENV)/bin

.PHONY: verify doctor test mutants red stops soak lint docs up shell destroy bench bench-check setup lock clean

verify: setup ## the main job
	$(RUN)/kubeproof verify --cluster=$(CLUSTER) --reports=$(REPORTS)

doctor: $(VENV)/installed ## list the needs of the lab and what this machine has; nothing is installed
	@$(RUN)/kubeproof doctor --cluster=$(CLUSTER)

up: setup ## bring the cluster up, run the read-only checks, keep it
	$(RUN)/kubeproof up --cluster=$(CLUSTER)

shell: ## open a root shell on NODE of the kept cluster
	$(RUN)/kubeproof shell $(NODE)

destroy: setup ## end the kept cluster, if there is one
	$(RUN)/kubeproof destroy

test: setup lint
	@lab/host_packages.sh for-tests
	$(RUN)/pytest -n auto selftests $(addprefix --ignore=selftests/,$(LONG))

lint: setup
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache
	shellcheck --external-sources --source-path=SCRIPTDIR provision/*.sh lab/box/machine lab/*.sh lab/admin_scripts/*.sh .ci/run

mutants: setup ## break the scripts edit by edit: the checks must notice each; SELECT="--only config.sh"
	$(RUN)/kubeproof mutants --cluster=$(CLUSTER) $(SELECT)

red: setup ## make each check's fault on a living cluster: the check must be red
	$(RUN)/pytest selftests/seen_red --verbose

stops: setup ## stop 30 runs at random moments, and fill the disk of 9: nothing may be left; takes an hour
	$(RUN)/pytest selftests/stops --verbose

soak: setup ## judge one cluster RUNS times: nothing may ever be red; SOAK="-m experiment" for the experiments
	$(RUN)/python -m bench.soak $(RUNS) --cluster=$(CLUSTER) $(SOAK)

docs: $(VENV)/installed ## build docs/_build/index.html; a link that leads nowhere is an error
	$(RUN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky docs docs/_build

bench: setup ## measure bring-up and reads beside their floors and a peer; BENCH="--runs 1"
	$(RUN)/python -m bench $(BENCH)

bench-check: $(VENV)/installed ## compare the last bench with the committed one; status 1 if a ratio got worse by more than half
	@$(RUN)/python -m bench --check

setup:
	@lab/host_packages.sh
	@$(MAKE) --no-print-directory $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kubeproof needs Python 3.11 or newer; name one with PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(RUN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock: ## pin the dependencies of pyproject.toml; needs uv
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --universal --all-extras pyproject.toml --output-file requirements.lock

clean: destroy
	rm -rf $(VENV) reports
