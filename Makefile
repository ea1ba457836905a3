# `make help` lists the targets.

PYTHON ?= /usr/bin/python3
DESTDIR ?=
AGENTDIR ?= /usr/lib/ocf/resource.d/aws
# Debian keeps what its packages install apart from the interpreter's own site-packages.
SITELIB ?= $(shell $(PYTHON) -Ic 'from sysconfig import *; \
	print(get_path("purelib", *({"deb_system"} & set(get_scheme_names()))))')

AGENTS = $(wildcard agents/*)
VENV = .venv
TOOLS = $(VENV)/bin
SANDBOX = $(TOOLS)/python tests/vpclab/sandbox.py
PYTEST = $(TOOLS)/python -m pytest
SOURCES = lib tests $(AGENTS)
# Virtual environments and shims of a user's must not stand in for the distribution's programs.
export PATH := /usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

# --- use it -----------------------------------------------------------------------------------------------------------

.PHONY: install
install: ## install agents and library (DESTDIR and PYTHON are honoured)
	install -d $(DESTDIR)$(AGENTDIR) $(DESTDIR)$(SITELIB)/ocf_aws
	install -m 0644 lib/ocf_aws/*.py lib/ocf_aws/py.typed $(DESTDIR)$(SITELIB)/ocf_aws
	for agent in $(AGENTS); do \
		sed '1s,^#!/usr/bin/python3,#!$(PYTHON),' $$agent > $(DESTDIR)$(AGENTDIR)/$${agent##*/} && \
		chmod 0755 $(DESTDIR)$(AGENTDIR)/$${agent##*/} || exit 1; done
	$(PYTHON) -m compileall -q -s '$(DESTDIR)' -p / $(DESTDIR)$(SITELIB)/ocf_aws

.PHONY: uninstall
uninstall: ## remove what `make install` installed
	rm -f $(patsubst agents/%,$(DESTDIR)$(AGENTDIR)/%,$(AGENTS))
	rm -rf $(DESTDIR)$(SITELIB)/ocf_aws
	-rmdir $(DESTDIR)$(AGENTDIR)

# --- the lab ----------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/ready ## a VPC with a cluster on this machine: watch an overlay IP move
	@PYTHONPATH=$(abspath tests) $(SANDBOX) $(abspath $(TOOLS))/python -m vpclab demo

.PHONY: lab
lab: $(VENV)/ready ## the same VPC, left up, with a shell on a node (HOST=node2, HOST=client)
	@PYTHONPATH=$(abspath tests) $(TOOLS)/python -m vpclab up $(HOST)

.PHONY: lab-down
lab-down: $(VENV)/ready ## remove what `make lab` left up
	@PYTHONPATH=$(abspath tests) $(TOOLS)/python -m vpclab down

# --- tests ------------------------------------------------------------------------------------------------------------

.PHONY: test
test: lint ## every check and every test
	$(SANDBOX) $(abspath $(TOOLS))/python -m pytest tests

.PHONY: test-unprivileged
test-unprivileged: $(VENV)/ready ## the tests that need no root
	$(PYTEST) tests/unit tests/cloud

.PHONY: lint
lint: $(VENV)/ready ## format, lint and types
	$(TOOLS)/black --check --quiet --line-length 120 $(SOURCES)
	$(TOOLS)/isort --check --quiet $(SOURCES)
	$(TOOLS)/flake8 $(SOURCES)
	$(TOOLS)/mypy lib tests/vpclab
	for agent in $(AGENTS); do $(TOOLS)/mypy --scripts-are-modules $$agent || exit 1; done

.PHONY: format
format: $(VENV)/ready ## rewrite the sources as `lint` wants them
	$(TOOLS)/black --quiet --line-length 120 $(SOURCES)
	$(TOOLS)/isort --quiet $(SOURCES)

.PHONY: bench
bench: $(VENV)/ready ## measure against aws-vpc-move-ip and IPaddr2, in one run
	tests/prerequisites.sh awscli
	$(SANDBOX) $(abspath $(TOOLS))/python -m pytest -s tests/bench/*.py

# Debian's packages first, then the virtual environment of the tools.
$(VENV)/ready: tests/requirements.txt tests/prerequisites.sh
	@tests/prerequisites.sh
	@echo "Installing the tools of tests and lab into $(VENV)"
	@/usr/bin/python3 -m venv $(VENV)
	@$(TOOLS)/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

.PHONY: clean
clean: ## remove what was built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
