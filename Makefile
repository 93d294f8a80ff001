# Everything a person or CI does with this repository. `make` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Slow builds and tools live here; the keys in their names make them safe to share.
CACHE := $(or $(ACPFLOW_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/acpflow)

MODULES := . test test/lab/controlplane test/lab/coredns deploy/devserver
# A linter has to read all of Temporal's server for the last one, and would need
# ten minutes for all of Kubernetes, for the hundred lines of the control plane.
LINTED := . test deploy/devserver
GOLANGCI_VERSION := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0
GOVULNCHECK_VERSION := v1.9.0
GOLANGCI := $(CACHE)/golangci-lint-$(GOLANGCI_VERSION)
WORKFLOWCHECK := $(CACHE)/workflowcheck-$(WORKFLOWCHECK_VERSION)
GOVULNCHECK := $(CACHE)/govulncheck-$(GOVULNCHECK_VERSION)

# Go's test cache does not see files of another module: what reads them runs anew.
# Flags for every go test, for example: make test-unit TESTFLAGS='-v -run TestBuild'
TESTFLAGS :=
# Flags of the demo, for example: make demo DEMOFLAGS='-control-planes 1'
DEMOFLAGS :=
# Flags of the measuring program, for example: make bench BENCHFLAGS='-runs 3 -goals U1,U2'
BENCHFLAGS :=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Set up

.PHONY: deps packages
deps: ## install Debian packages and do the slow builds, once (as root)
	@echo "deps: Debian packages, then Kubernetes and Temporal into $(CACHE)"
	@cd test && go run ./cmd/deps

packages: # only the Debian packages, for the first minutes of a test run
	@echo "compiling the set-up program, a minute or two the first time"
	@cd test && go run ./cmd/deps packages

.PHONY: build agents
build: agents ## compile acpflow and its worker into bin/
	go build -o bin/acpflow ./starter
	go build -o bin/acpflow-worker ./worker

# What a worker puts on nodes to probe the network. It embeds whatever is there.
AGENTS := $(patsubst %,internal/probe/agents/agent-linux-%.gz,amd64 arm64)
agents: $(AGENTS) # only the probe agents, which go test and go build don't make

$(AGENTS): internal/probe/agents/agent-linux-%.gz: $(wildcard internal/probe/agent/*.go internal/probe/wire/*.go)
	@echo "building the probe agent for $*"
	@mkdir -p bin && new=$$(mktemp -d -p bin) && trap 'rm -rf "$$new"' EXIT && \
		CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -buildvcs=false -ldflags='-s -w' -o "$$new/agent" ./internal/probe/agent && \
		gzip -9n "$$new/agent" && mv "$$new/agent.gz" $@

##@ Use

.PHONY: demo dev lab lab-down
demo: deps agents ## boot a lab of two data centres, build a pair on it, carry it through a switchover and a failover
	@cd test && go run ./cmd/demo $(DEMOFLAGS)

dev: build deps ## run Temporal, its UI and a worker here until Ctrl-C
	@cd test && go run ./cmd/dev

lab: deps ## boot a lab of real systemd nodes and write its site document (as root)
	@cd test && go run ./lab/cmd/lab up

lab-down: ## remove everything that lab made
	@cd test && go run ./lab/cmd/lab down

##@ Check

.PHONY: test
test: ## everything CI runs: static checks, unit, lab, end-to-end and browser tests
	@CACHE=$(CACHE) scripts/test.sh

.PHONY: test-unit
test-unit: agents ## unit and replay tests, with the race detector
	go test -race $(TESTFLAGS) ./...

.PHONY: test-tools test-devserver test-lab test-e2e test-pair test-takeover
test-tools: agents ## tests of the compose file, the test tools and the stand-ins
	cd test && go test -count=1 -timeout 20m $(TESTFLAGS) $$(go list ./... | grep -vE '/(lab|e2e)(/|$$)')

test-devserver: ## tests of the embedded Temporal server, which kill it
	cd deploy/devserver && go test $(TESTFLAGS) ./...

test-lab: ## tests of the lab itself (as root)
	cd test && go test -count=1 -timeout 30m $(TESTFLAGS) ./lab/...

test-e2e: agents ## acpflow on the lab, worker and Temporal killed on the way, and in a browser (as root)
	cd test && go test -count=1 -p 1 -timeout 40m $(TESTFLAGS) ./e2e ./e2e/fix  # one lab at a time: two would share two cores

test-pair: agents ## acpflow on two data centres, with every fault of a pair (as root)
	cd test && go test -count=1 -timeout 60m $(TESTFLAGS) ./e2e/pair

test-takeover: agents ## switchover, failover, reprotect and drill, whatever breaks on the way (as root)
	cd test && go test -count=1 -timeout 60m $(TESTFLAGS) ./e2e/takeover

.PHONY: bench
bench: deps agents ## compare with scp, ssh, etcdctl, Ansible and the document's own procedure (as root)
	@cd test && go run ./cmd/deps bench && go run ./bench $(BENCHFLAGS)

.PHONY: lint determinism fmt tidy-check vulncheck
lint: $(GOLANGCI) ## formatting, vet and golangci-lint (LINTED=. for the root module alone)
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "not formatted, see above: make fmt"; exit 1; }
	@for m in $(LINTED); do echo "lint: $$m"; (cd $$m && go vet ./... && $(GOLANGCI) run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...); done

determinism: $(WORKFLOWCHECK) ## workflow code does nothing that a replay could not repeat
	$(WORKFLOWCHECK) -config workflows/workflowcheck.config.yaml ./workflows/... ./worker/...

fmt: $(GOLANGCI) ## format all Go code
	@for m in $(LINTED); do (cd $$m && $(GOLANGCI) fmt --config $(CURDIR)/.golangci.yml ./...); done

tidy-check: # go.mod and go.sum say what is used, no more and no less
	@for m in $(MODULES); do echo "tidy: $$m"; (cd $$m && go mod tidy -diff); done

vulncheck: $(GOVULNCHECK) ## known vulnerabilities in what is linked (needs vuln.go.dev)
	@scripts/vulncheck.sh $(GOVULNCHECK)

.PHONY: ci
ci: ## what CI runs, the way it runs it
	.ci/run

.PHONY: clean
clean: ## remove what was built here; the cache of slow builds stays
	rm -rf bin $(AGENTS)

$(GOLANGCI): PACKAGE := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
$(WORKFLOWCHECK): PACKAGE := go.temporal.io/sdk/contrib/tools/workflowcheck@$(WORKFLOWCHECK_VERSION)
$(GOVULNCHECK): PACKAGE := golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
$(GOLANGCI) $(WORKFLOWCHECK) $(GOVULNCHECK):
	@echo "building $(PACKAGE), once"
	@mkdir -p $(CACHE) && new=$$(mktemp -d -p $(CACHE)) && trap 'rm -rf "$$new"' EXIT && \
		GOBIN=$$new go install $(PACKAGE) 2>&1 | { grep -v '^go: downloading' || true; } && mv "$$new"/* $@
