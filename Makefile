# `make help` lists the targets.

PYTHON ?= /usr/bin/python3
DESTDIR ?=
AGENTDIR ?= /usr/lib/ocf/resource.d/aws
# Debian keeps what its packages install apart from the interpreter's own site-packages.
SITELIB ?= $(shell $(PYTHON) -Ic 'from sysconfig import *; \
	print(get_path("purelib", *({"deb_system"} & set(get_scheme_names()))))')
SBINDIR ?= /usr/sbin
COMPLETIONDIR ?= /usr/share/bash-completion/completions
MANDIR ?= /usr/share/man
DOCDIR ?= /usr/share/doc/resource-agents-aws

VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' lib/ocf_aws/__init__.py)
AGENTS = $(wildcard agents/*)
DOCUMENTS = $(wildcard README.md CHANGELOG.md packaging/pictures packaging/iam packaging/examples packaging/docs packaging/aws)
# What more the tests take of Debian's: to build packages, find faults in them, and run the agent of today.
TEST_TOOLS = awscli build-essential busybox cpio curl debhelper dh-python git lintian man-db mandoc network-manager \
	resource-agents-paf rpm rpm2cpio rpmlint strace systemd
ACCEPTANCE_TOOLS = corosync-qdevice corosync-qnetd postgresql-15
VENV = .venv
TOOLS = $(VENV)/bin
SANDBOX = $(TOOLS)/python tests/vpclab/sandbox.py
PYTEST = $(abspath $(TOOLS))/python -m pytest
LAB = PYTHONPATH=$(abspath lib):$(abspath tests)
BENCH = $(LAB) $(SANDBOX) $(abspath $(TOOLS))/python
# Tests wait as much as they compute: two for each processor. Each worker has a sandbox of its own.
WORKERS = 4
IN_SANDBOXES = --dist loadfile --no-loadscope-reorder \
	--tx '$(WORKERS)*popen//python=$(abspath $(TOOLS))/python $(abspath tests/vpclab/sandbox.py) $(abspath $(TOOLS))/python'
SOURCES = lib tests packaging/man packaging/launcher.py packaging/service_models.py packaging/bin/ocf-aws $(AGENTS)
IAM_POLICIES = PYTHONPATH=lib:packaging/man $(TOOLS)/python packaging/man/iam_policies.py packaging/iam
PARAMETER_TABLES = PYTHONPATH=lib:packaging/man $(TOOLS)/python packaging/man/parameter_tables.py packaging/docs/parameters.md \
	$(AGENTS)
# Virtual environments and shims of a user's must not stand in for the distribution's programs.
export PATH := /usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

# --- use it -----------------------------------------------------------------------------------------------------------

# A shebang takes no other PYTHON, and `rm -rf` would take two paths for one.
CHECKED = $(if $(filter /%,$(PYTHON)),,$(error PYTHON=$(PYTHON): give the absolute path)) \
	$(if $(word 2,x$(DESTDIR)$(SITELIB)),$(error DESTDIR and SITELIB can have no blanks))

.PHONY: install
install: ## install agents, command, library, man pages and documents (DESTDIR and PYTHON are honoured)
	$(CHECKED)umask 022 && $(MAKE) --no-print-directory installed DESTDIR=$(abspath $(DESTDIR))

.PHONY: installed
installed:
	install -d $(addprefix $(DESTDIR),$(AGENTDIR) $(SBINDIR) $(SITELIB) $(COMPLETIONDIR) $(MANDIR)/man7 $(MANDIR)/man8 $(DOCDIR))
	cd lib && find ocf_aws -name '*.py' -o -name py.typed | while read -r file; do \
		install -D -m 0644 "$$file" "$(DESTDIR)$(SITELIB)/$$file" || exit 1; done
	PYTHONPATH=lib $(PYTHON) -B packaging/service_models.py $(DESTDIR)$(SITELIB)/ocf_aws/aws/service_models
	for agent in $(AGENTS); do \
		name=$${agent##*/}; module=$$(echo $$name | tr - _); launcher=$(DESTDIR)$(AGENTDIR)/$$name; \
		sed '1s/.*//' $$agent > $(DESTDIR)$(SITELIB)/ocf_aws/$$module.py && \
		chmod 0644 $(DESTDIR)$(SITELIB)/ocf_aws/$$module.py && \
		sed "1s,/usr/bin/python3,$(PYTHON),; s,LIBRARY,$(SITELIB),; s,agent_module,$$module," packaging/launcher.py > $$launcher && \
		chmod 0755 $$launcher || exit 1; done
	sed '1s,^#!/usr/bin/python3,#!$(PYTHON),; s,^from,import sys\n\nsys.path.append("$(SITELIB)")\n&,' packaging/bin/ocf-aws > $(DESTDIR)$(SBINDIR)/ocf-aws
	chmod 0755 $(DESTDIR)$(SBINDIR)/ocf-aws
	$(PYTHON) -m compileall -q -s '$(DESTDIR)' -p / $(DESTDIR)$(SITELIB)/ocf_aws
	for agent in $(AGENTS); do \
		PYTHONPATH=lib $(PYTHON) -B packaging/man/manpage.py $$agent \
			> $(DESTDIR)$(MANDIR)/man7/ocf_aws_$${agent##*/}.7 || exit 1; done
	PYTHONPATH=lib:packaging/man $(PYTHON) -B packaging/man/command.py page > $(DESTDIR)$(MANDIR)/man8/ocf-aws.8
	PYTHONPATH=lib:packaging/man $(PYTHON) -B packaging/man/command.py completion > $(DESTDIR)$(COMPLETIONDIR)/ocf-aws
	cp -r $(DOCUMENTS) $(DESTDIR)$(DOCDIR)
	sed -i 's,](packaging/,](,g' $(DESTDIR)$(DOCDIR)/README.md

.PHONY: uninstall
uninstall: ## remove what `make install` installed
	$(CHECKED)rm -f $(patsubst agents/%,$(DESTDIR)$(AGENTDIR)/%,$(AGENTS))
	rm -f $(patsubst agents/%,$(DESTDIR)$(MANDIR)/man7/ocf_aws_%.7,$(AGENTS))
	rm -f $(addprefix $(DESTDIR),$(SBINDIR)/ocf-aws $(MANDIR)/man8/ocf-aws.8 $(COMPLETIONDIR)/ocf-aws)
	rm -rf $(DESTDIR)$(SITELIB)/ocf_aws $(addprefix $(DESTDIR)$(DOCDIR)/,$(notdir $(DOCUMENTS)))
	-rmdir $(DESTDIR)$(AGENTDIR) $(DESTDIR)$(DOCDIR)

# --- the lab ----------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/ready ## a VPC with a cluster on this machine: watch an overlay IP move, then an ENI
	@$(LAB) $(SANDBOX) $(abspath $(TOOLS))/python -m vpclab demo

.PHONY: soak
soak: $(VENV)/ready ## an hour of random moves, power losses, cuts and API faults, and a report (MINUTES=, SEED=)
	@$(LAB) $(SANDBOX) $(abspath $(TOOLS))/python -m vpclab soak \
		$(if $(MINUTES),--minutes=$(MINUTES)) $(if $(SEED),--seed=$(SEED))

.PHONY: lab
lab: $(VENV)/ready ## such a VPC, left up, with a shell on a node (HOST=node2, HOST=client, HOST=office; ZONES=1 to move an ENI)
	@tests/prerequisites.sh awscli
	@$(LAB) $(TOOLS)/python -m vpclab up $(HOST) $(if $(ZONES),--zones=$(ZONES))

.PHONY: lab-down
lab-down: $(VENV)/ready ## remove what `make lab` left up
	@$(LAB) $(TOOLS)/python -m vpclab down

# --- tests ------------------------------------------------------------------------------------------------------------

# What users have is compiled and has the models; without them each of the thousands of processes makes its own.
.PHONY: compiled
compiled: $(VENV)/ready
	PYTHONPATH=lib $(PYTHON) -B packaging/service_models.py lib/ocf_aws/aws/service_models
	$(PYTHON) -m compileall -q lib tests/vpclab

.PHONY: test
test: lint compiled ## every check and every test (WORKERS=4: so many files at a time)
	tests/prerequisites.sh $(TEST_TOOLS)
	if $(SANDBOX) true; then $(PYTEST) $(IN_SANDBOXES) tests; else $(PYTEST) tests; fi

.PHONY: acceptance
acceptance: compiled ## the whole of what `make test` has a short form of; hours (TESTS=tests/cluster/test_eni_move.py)
	tests/prerequisites.sh $(TEST_TOOLS) $(ACCEPTANCE_TOOLS)
	ACCEPTANCE=1 $(PYTEST) $(IN_SANDBOXES) -m acceptance $(or $(TESTS),tests)

.PHONY: faults
faults: compiled ## every call, every fault, every action; hours (FAULTS=500: so many of them, drawn by FAULTS_SEED)
	tests/prerequisites.sh strace
	FAULTS=$${FAULTS:-all} $(PYTEST) $(subst loadfile,load,$(IN_SANDBOXES)) tests/faults

.PHONY: test-unprivileged
test-unprivileged: compiled ## the tests that need no root
	$(PYTEST) tests/unit tests/aws tests/vpclab_tests

.PHONY: quick
quick: lint compiled ## format, lint, types, and the tests of one module or one process
	tests/prerequisites.sh $(TEST_TOOLS)
	if $(SANDBOX) true; then $(PYTEST) $(subst loadfile,worksteal,$(IN_SANDBOXES)) tests/unit tests/process; else $(PYTEST) tests/unit; fi

.PHONY: coverage
coverage: compiled ## which lines and branches the tests of modules, processes and faults run
	rm -f .coverage*
	COVERAGE_RUN=1 AGENT_PYTHON=$(abspath $(TOOLS))/python $(SANDBOX) $(PYTEST) --cov --cov-report=term:skip-covered \
		tests/unit tests/kernel tests/process tests/faults

.PHONY: lint
lint: $(VENV)/ready ## format, lint, types, spelling
	$(TOOLS)/ruff format --check --quiet $(SOURCES)
	$(TOOLS)/ruff check --quiet $(SOURCES)
	$(MAKE) --no-print-directory types
	$(TOOLS)/codespell $(SOURCES) packaging *.md
	$(PARAMETER_TABLES) --check
	$(IAM_POLICIES) --check

# What users run is promised for Python 3.9; the lab runs on Debian's.
.PHONY: types
types: $(VENV)/ready
	$(TOOLS)/mypy --scripts-are-modules lib packaging/man $(AGENTS)
	$(TOOLS)/mypy --python-version 3.11 tests/vpclab

.PHONY: format
format: $(VENV)/ready ## rewrite the sources as `lint` wants them
	$(TOOLS)/ruff format --quiet $(SOURCES)
	$(TOOLS)/ruff check --quiet --fix $(SOURCES)
	$(PARAMETER_TABLES)
	$(IAM_POLICIES)

.PHONY: bench
bench: $(VENV)/ready ## measure beside aws-vpc-move-ip, IPaddr2 and floors, and write performance.md (AGAINST=REVISION, RUNS=15)
	tests/prerequisites.sh awscli curl strace time
	$(BENCH) tests/bench/actions.py $(if $(AGAINST),--against $(AGAINST)) --runs $(or $(RUNS),15) build/bench/actions.json
	$(BENCH) tests/bench/outages.py build/bench/outages.json
	$(LAB) $(TOOLS)/python tests/bench/page.py build/bench/actions.json build/bench/outages.json

# --- packages ---------------------------------------------------------------------------------------------------------

ARCHIVE = dist/ocf-aws-$(VERSION).tar.gz
DEB = build/deb/ocf-aws-$(VERSION)
SPEC = build/rpm/SPECS/resource-agents-aws.spec
# What rpmbuild makes without the macros of a distribution.
FOR_INSPECTION = resource-agents-aws-$(VERSION)-1.debian.noarch.rpm

.PHONY: dist
dist: ## source archive of the last commit, in dist/
	@git diff --quiet HEAD || echo "What is not committed will not be in $(ARCHIVE)" >&2
	@git show HEAD:lib/ocf_aws/__init__.py | grep -qF '"$(VERSION)"' || { echo "$(VERSION) is not committed" >&2; exit 1; }
	mkdir -p dist
	git archive --format=tar --prefix=ocf-aws-$(VERSION)/ HEAD | gzip -9n > $(ARCHIVE)

.PHONY: deb
deb: dist ## package for Debian and Ubuntu, in dist/
	rm -rf build/deb && mkdir -p build/deb
	tar -xzf $(ARCHIVE) -C build/deb
	mv $(DEB)/packaging/debian $(DEB)/debian
	sed -i "s/@VERSION@/$(VERSION)/; s/@DATE@/$$(git log -1 --format=%cD)/" $(DEB)/debian/changelog
	cd $(DEB) && dpkg-buildpackage --build=binary --no-sign
	cp build/deb/*.deb dist

# Man pages get the date of the commit, as they do in the .deb. On Debian, rpm knows of no package that is installed.
.PHONY: rpm
rpm: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)
rpm: dist ## packages for RHEL, Fedora and SLES, in dist/ (RPMFLAGS= of rpmbuild)
	rm -rf build/rpm && mkdir -p build/rpm/SPECS
	sed "s/@VERSION@/$(VERSION)/; s/@DATE@/$$(LC_ALL=C date -u -d @$(SOURCE_DATE_EPOCH) '+%a %b %d %Y')/" \
		packaging/rpm/resource-agents-aws.spec > $(SPEC)
	rpmbuild -ba $(RPMFLAGS) --define '_topdir $(CURDIR)/build/rpm' --define '_sourcedir $(CURDIR)/dist' \
		$(if $(wildcard /etc/debian_version),--nodeps) $(SPEC)
	cp build/rpm/RPMS/noarch/*.rpm build/rpm/SRPMS/*.rpm dist
	@! [ -e build/rpm/RPMS/noarch/$(FOR_INSPECTION) ] || echo "$(FOR_INSPECTION) is for inspection only: its modules are where Debian has them." \
		"Run \`make rpm' on the distribution that it is for." >&2

.PHONY: matrix
matrix: compiled ## the agents under old and new interpreters and libraries (LEGS="3.9-oldest ...")
	WORKERS=$(WORKERS) tests/packaging/matrix.sh $(LEGS)

# --- tools ------------------------------------------------------------------------------------------------------------

# Debian's packages first, then the virtual environment of the tools.
$(VENV)/ready: tests/requirements.txt tests/prerequisites.sh
	@tests/prerequisites.sh
	@echo "Installing the tools of tests and lab into $(VENV)"
	@/usr/bin/python3 -m venv $(VENV)
	@$(TOOLS)/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

.PHONY: clean
clean: ## remove what was built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache lib/ocf_aws/aws/service_models
	find . -name __pycache__ -prune -exec rm -rf {} +
