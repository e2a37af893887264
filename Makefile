# Waymark: every command a reader needs. `make lab` and `make test` stand alone
# on a Debian-like machine with Go and root; they install what they miss.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS   += --no-print-directory

export PATH        := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
export CGO_ENABLED := 0
export GOFLAGS     := $(GOFLAGS) -buildvcs=false

BIN      := $(CURDIR)/out/bin
FUZZTIME ?= 60s
SOAK     ?= 1h
BENCH    ?=
BOARD    ?= qemu-x86_64
BOOT     ?=
STATICCHECK := go tool -modfile=scripts/tools/go.mod staticcheck

.PHONY: build image kernel boot test fmt vet staticcheck unit netns lab lab-up lab-down bench soak fuzz deps ratchet clean help

help: ## print the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

build: ## static binaries in out/bin
	@mkdir -p $(BIN)
	go build -trimpath -ldflags '-s -w' -o $(BIN)/ ./cmd/...

test: ## everything that CI runs
	@scripts/install.sh test
	@scripts/test.sh

fmt: ## rewrite every file in gofmt's form
	gofmt -w $$(git ls-files '*.go')

vet: ## go vet
	go vet ./...

staticcheck: ## honnef.co/go/tools, version pinned in scripts/tools/go.mod
	$(STATICCHECK) ./...

unit: ## tests that need no namespaces of their own
	scripts/test.sh unit

netns: build ## tests in network namespaces, two packages at a time
	scripts/test.sh netns

lab: ## branch, hub and two ISPs in namespaces, real traffic, then clean up; IMAGE=1: the branch is the image in QEMU
	@scripts/install.sh lab
	@$(if $(IMAGE),scripts/install.sh image)
	@$(MAKE) build
	@$(if $(IMAGE),$(BIN)/mkimage -board qemu-x86_64 -out out/factory)
	@$(BIN)/lab $(if $(IMAGE),-image out/factory)

lab-up: ## the same network, left running for play
	@scripts/install.sh lab
	@$(MAKE) build
	@$(BIN)/lab up

lab-down: ## remove what lab-up left
	@[ -x $(BIN)/lab ] || $(MAKE) build
	@$(BIN)/lab down

bench: ## figures of this machine: bench.json and docs/performance.md; QUICK=1, BENCH='-only 1,4a -rounds 3'
	@scripts/install.sh bench
	@$(MAKE) build
	cd bench && WAYMARK_BIN=$(BIN)/waymark go run . -json ../bench.json -page ../docs/performance.md $(BENCH)

soak: ## the long forms of the timed tests (SOAK=1h), figures in docs/soak.md
	@scripts/install.sh test
	@$(MAKE) build
	@SOAK=$(SOAK) scripts/soak.sh

image: ## firmware of BOARD in out/BOARD; CONFIG=FILE ROUTER=NAME KEY=PEM VERSION=V COUNTER=N TRIAL=600s KERNEL=DIR
	@scripts/install.sh image
	@$(MAKE) build
	@$(BIN)/mkimage -board $(BOARD) $(if $(CONFIG),-config $(CONFIG)) $(if $(ROUTER),-router $(ROUTER)) \
		$(if $(VERSION),-version $(VERSION)) $(if $(COUNTER),-counter $(COUNTER)) $(if $(KERNEL),-kernel $(KERNEL)) \
		$(if $(KEY),-key $(KEY)) $(if $(TRIAL),-trial $(TRIAL)) $(if $(APPEND),-append '$(APPEND)')

kernel: ## our own kernel for BOARD: compiled and tested with 96 and 64 MB once, then firmware with it in out/BOARD
	@scripts/install.sh kernel
	@$(MAKE) build
	@$(BIN)/mkimage kernel -board $(BOARD)

boot: ## the image of BOARD in QEMU, its console in this terminal; BOOT='-append ... -disk ...'
	@[ -s out/$(BOARD)/initramfs.zst ] || $(MAKE) image
	@$(BIN)/mkimage boot -board $(BOARD) $(BOOT)

fuzz: ## every fuzz target for FUZZTIME (60s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

deps: ## rewrite deps/*.txt, reasons are kept
	go test ./scripts/check -run '^TestDependencies$$' -count=1 -args -update

ratchet: ## lower the numbers of scripts/check/ratchet.txt to what the tree has
	go test ./scripts/check -run '^TestRatchet$$' -count=1 -args -update

clean: ## remove out/
	rm -rf out
