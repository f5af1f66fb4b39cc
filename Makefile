# make verify   judge the spec's cluster: brought up by the scripts under provision/, in the embedded lab
# make test     the project's own tests
# Both do their own set-up on a Debian machine; as root, or with sudo.

PYTHON ?= python3
CLUSTER ?= provision/clusters/default.yaml
NODE ?= m-k8s
RUNS ?= 20
VENV := .venv
LONG := seen_red stops
RUN := $(VENV)/bin

.PHONY: verify doctor test mutants red stops soak lint docs up shell destroy bench bench-check setup lock clean

verify: setup ## the main job
	$(RUN)/kubeproof verify --cluster=$(CLUSTER)

doctor: $(VENV)/installed ## what the lab needs of this machine; installs nothing on it
	@$(RUN)/kubeproof doctor --cluster=$(CLUSTER)

up: setup ## the cluster, kept, with only the reads judged
	$(RUN)/kubeproof up --cluster=$(CLUSTER)

shell: ## a root shell on NODE of a kept cluster
	$(RUN)/kubeproof shell $(NODE)

destroy: setup ## the kept cluster, if any
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

mutants: setup ## the scripts broken edit by edit, on a machine each: the checks must notice; SELECT="--only config.sh"
	$(RUN)/kubeproof mutants --cluster=$(CLUSTER) $(SELECT)

red: setup ## each check's fault, made on a living cluster: it must be seen
	$(RUN)/pytest selftests/seen_red --verbose

stops: setup ## 30 runs, stopped at random moments in every way, and 9 whose disk fills: nothing may be left; an hour
	$(RUN)/pytest selftests/stops --verbose

soak: setup ## one cluster judged RUNS times: nothing may ever be red; SOAK="-m experiment" for the experiments
	$(RUN)/python -m bench.soak $(RUNS) --cluster=$(CLUSTER) $(SOAK)

docs: $(VENV)/installed ## the documentation, as docs/_build/index.html; what leads nowhere is an error
	$(RUN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky docs docs/_build

bench: setup ## bring-up and reads beside their floors and a peer; BENCH="--runs 1"; CI fails on `make bench-check`
	$(RUN)/python -m bench $(BENCH)

bench-check: $(VENV)/installed ## status 1 if a ratio of the last bench got worse by more than half, unless the machine was too busy to tell
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

lock: ## pin what pyproject.toml asks for; needs uv
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --universal --all-extras pyproject.toml --output-file requirements.lock

clean: destroy
	rm -rf $(VENV) reports
