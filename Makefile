# Gatepost. `make run` needs Go alone; `make test` installs what it needs from
# Debian first (contrib/deps.sh).

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
DESTDIR    ?=

# The same commit gives the same bytes: no paths, no build times.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOBUILD  = CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION) -buildid='

# Two cores and a database on the same disk are slow together.
TEST_TIMEOUT  ?= 20m
FUZZTIME      ?= 20s
SOAK_ROUNDS   ?= 200
OUTAGE_ROUNDS ?= 50
SOAK_TIMEOUT  ?= 4h

# Where the tree belongs to another user than its tests, git refuses to answer
# and builds that ask it fail.
export GOFLAGS += -buildvcs=false

# A threshold of `systemd-analyze security`, in tenths.
EXPOSURE = 15

.PHONY: all build test check bench fuzz soak run deps install clean
.PHONY: fmt vet staticcheck vulncheck imports race units dmz

all: build

build:
	$(GOBUILD) -o bin/ ./cmd/...

# The operator's tool without store and SQL, for the gateway.
dmz:
	$(GOBUILD) -tags dmz -o bin/dmz/ ./cmd/gatepost

run: build
	@./bin/gatepost demo

deps:
	@contrib/deps.sh

test: deps
	go test -timeout $(TEST_TIMEOUT) ./...

check: fmt vet staticcheck vulncheck imports dmz units race

fmt:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	test -z "$$unformatted" || { echo "gofmt needed:"; echo "$$unformatted"; exit 1; }

vet:
	go vet ./...
	go vet -tags dmz ./cmd/gatepost

staticcheck:
	go tool staticcheck ./...
	go tool staticcheck -tags dmz ./cmd/gatepost

# A finding fails; a database that cannot be reached does not.
vulncheck:
	@if out=$$(go tool govulncheck ./... 2>&1); then echo "govulncheck: no known vulnerabilities"; \
	elif echo "$$out" | grep -q 'fetching vulnerabilities'; then \
		echo "govulncheck: NOT CHECKED, the database of vulnerabilities is out of reach:"; echo "$$out"; \
	else echo "$$out"; exit 1; fi

imports:
	go test -count=1 ./internal/imports

race:
	go test -race -short -timeout $(TEST_TIMEOUT) ./...

# Verified with the programs where they are built: verify wants them to exist.
# What it complains about is no failure to it, but is one to us.
units: build
	@if ! command -v systemd-analyze >/dev/null; then \
		echo "units: NOT CHECKED, systemd-analyze is missing: install Debian package systemd (make deps)"; exit 0; fi; \
	dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	for unit in contrib/systemd/*.socket contrib/systemd/*.service; do \
		sed 's,/usr/sbin/gatepost-,$(CURDIR)/bin/gatepost-,' "$$unit" >"$$dir/$${unit##*/}"; \
	done && \
	complaints=$$(systemd-analyze verify --man=no "$$dir"/*.socket "$$dir"/*.service 2>&1) || failed=1; \
	if test -n "$$failed$$(echo "$$complaints" | grep gatepost)"; then echo "$$complaints"; exit 1; fi; \
	for unit in "$$dir"/*.service; do \
		out=$$(systemd-analyze security --no-pager --offline=true --threshold=$(EXPOSURE) "$$unit") || \
			{ echo "$$out" | grep -v '^✓'; exit 1; }; \
		echo "$$out" | grep 'exposure level'; \
	done

# Deliveries per second beside dovecot-lmtpd and the bare SQL loop, then the
# memory that large messages take; look-ups per second beside Postfix's own ways
# and a server that does not think, then the memory of a full cache. BENCHFLAGS,
# such as --short, go to the first, and to the third what that knows too.
LDAPBENCHFLAGS ?= $(filter --short --json,$(BENCHFLAGS))

bench: deps
	go run ./test/bench $(BENCHFLAGS)
	go run ./test/bench --memory
	go run ./test/ldapbench $(LDAPBENCHFLAGS)
	go run ./test/ldapbench --memory

# Every fuzz target for FUZZTIME; go test takes one at a time.
fuzz:
	@for pkg in $$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do \
		for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz'); do \
			echo "fuzz $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
		done; \
	done

# lmtpd and MariaDB killed under load, many times, then slapd under ldapmap's;
# the tests have a short form.
soak: deps
	GATEPOST_SOAK_ROUNDS=$(SOAK_ROUNDS) go test -run '^TestSoak$$' -count=1 -v -timeout $(SOAK_TIMEOUT) ./test/lmtpd
	GATEPOST_OUTAGE_ROUNDS=$(OUTAGE_ROUNDS) go test -run '^TestOutage$$' -count=1 -v -timeout $(SOAK_TIMEOUT) ./test/ldapmap
	GATEPOST_OUTAGE_ROUNDS=$(OUTAGE_ROUNDS) go test -run '^TestDirectoryOutage$$' -count=1 -v -timeout $(SOAK_TIMEOUT) ./test/lmtpd

# Configuration that is there is never overwritten.
install: build
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/sbin' '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(SYSCONFDIR)/gatepost'
	install -m 755 bin/gatepost '$(DESTDIR)$(PREFIX)/bin/'
	set -e; for program in bin/gatepost-*; do install -m 755 "$$program" '$(DESTDIR)$(PREFIX)/sbin/'; done
	set -e; for unit in contrib/systemd/*.socket contrib/systemd/*.service; do \
		sed 's,/usr/sbin/,$(PREFIX)/sbin/,; s,/etc/gatepost/,$(SYSCONFDIR)/gatepost/,' "$$unit" >"$(DESTDIR)$(UNITDIR)/$${unit##*/}"; \
		chmod 644 "$(DESTDIR)$(UNITDIR)/$${unit##*/}"; \
	done
	set -e; for sample in contrib/etc/*.toml; do \
		test -e "$$sample" || continue; \
		test -e "$(DESTDIR)$(SYSCONFDIR)/gatepost/$${sample##*/}" || \
			install -m 644 "$$sample" '$(DESTDIR)$(SYSCONFDIR)/gatepost/'; \
	done

clean:
	rm -rf bin
