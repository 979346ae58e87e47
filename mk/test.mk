# Tests. make check: everything; make unit; make it T=test_limits; make check-vm: in a VM with a unified cgroup v2.
FIXTURE_LINK := -static
FIXTURES := $(addprefix $(B)/fixtures/,bootstrap escape inside beside extension)
$(B)/fixtures/bootstrap: tests/fixtures/bootstrap.c tests/fixtures/client.c tests/fixtures/client.h
$(B)/fixtures/escape: tests/fixtures/escape.c tests/fixtures/escape_outside.c tests/fixtures/escape.h
$(B)/fixtures/inside: tests/fixtures/inside.c rootfs/libc.h
$(B)/fixtures/beside: tests/fixtures/beside.c
$(B)/fixtures/extension: tests/fixtures/extension.c
$(B)/fixtures/inside: FIXTURE_LINK := # the image's own C library is what it asks
$(FIXTURES):
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC $<")
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Werror $(FIXTURE_LINK) -s -o $@ $(filter %.c,$^)
# A client of ours, outside.
$(B)/fixtures/spawns: $(B)/obj/tests/fixtures/spawns.o $(ARCHIVES)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LD $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)
fixtures: $(FIXTURES) $(B)/fixtures/spawns

# make SAN=address,undefined check: all of it with a sanitized build in $(B)/..., nothing left out but what the sanitizers themselves forbid:
#   fn-unpack's and fn-fetch's seccomp filters and RLIMIT_AS (the sanitizer's own calls and address space; FN_ASAN), and their leaks (see run_sanitized in tests/run);
#   the resident size in test_mixture.
# Without SAN, part "asan" builds that once more, incrementally, and runs test_mixture with it; part "tsan" does so with SAN=thread.
check: deps-quiet
	@$(MAKE) --no-print-directory -j2 B=$(B) SAN=$(SAN) all tests images
	@tests/run --build $(B) $(T)

# All that the tests need but base images: what the check builds.
tests: unit-build fuzz-build fixtures bench-build

deps-quiet:
	@scripts/deps.sh --quiet

unit: unit-build
	@tests/run --build $(B) unit

it: all fixtures images bench-build
	@tests/run --build $(B) $(if $(T),$(T),it)

check-vm: all fixtures images
	@tests/run --build $(B) vm

# In a bare system of a Debian release (scripts/bare.sh; wants debootstrap): what somebody who has just installed it finds.
#   make check-bare SUITE=trixie                        make quickstart there
#   make check-bare SUITE=bookworm RUN="make check"     every test
SUITE ?= trixie
RUN ?= make quickstart
check-bare:
	@scripts/bare.sh $(SUITE) $(RUN) </dev/null

# Each process is killed N times while functions come, change and go; what is on the disk must be what is written down. N=100.
check-crash: all fixtures images
	@FND_CRASHES=$(or $(N),100) tests/run --build $(B) test_crashes

# fn-gateway, fnd and fn-spawnd are killed N times in all under 64 streams. N=50.
check-kills: all fixtures images
	@FND_KILLS=$(or $(N),50) tests/run --build $(B) test_kills

# fn-events, the worker and fn-spawnd are killed N times under asynchronous invocations and queues that drive functions: whatever was accepted must end as promised. N=200.
check-durability: all fixtures images
	@FND_KILLS=$(or $(N),200) tests/run --build $(B) test_durability

# A backlog of N events: on disk, not in memory, and nobody else waits for it. N=1000000.
check-backlog: all fixtures images bench-build
	@FND_BACKLOG=$(or $(N),1000000) tests/run --build $(B) test_backlog.Backlog

# In a virtual machine the power is cut N times while functions come, change and go; what was answered must be there. 20 s a cut. N=10.
check-powercut: all fixtures images
	@tests/powercut/run --build $(B) --rounds $(or $(N),10)

# Container images that take long to make: by buildah, docker and BuildKit (built by go, long the first time), of a Containerfile with stages, in each format that they and skopeo write.
check-containers: all fixtures
	@FND_CHECK_CONTAINERS=1 tests/run --build $(B) test_containers test_container_apps
# Unmodified software from PyPI, npm, crates, Go, Maven and Debian in functions of its own, and what of tests/it has some built from source first; N="numpy sharp": some of it; FND_TEST_PYTHON=python3.9 N=--python-only: another Python.
check-packages: all fixtures
	@$(MAKE) --no-print-directory B=$(B) images IMAGES="$(IMAGES)"
	@status=0; tests/packages/run --build $(B) $(N) || status=1; \
	$(if $(N),,FND_CHECK_PACKAGES=1 tests/run --build $(B) test_fetch.Others.test_versitygw test_container_apps.Moved.test_node || status=1;) exit $$status

# Clients that do everything while each process is killed by turns; MINUTES=30.
MINUTES ?= 30
soak: all fixtures images
	@tests/soak/run --build $(B) --minutes $(MINUTES)

quickstart:
	@scripts/quickstart.sh $(B)

help:
	@sed -n 's/^#   //p' Makefile
	@echo "make check T=test_limits   one file of tests/it; T=unit, T=it, T=vm one part"
	@echo "make it / unit / check-vm  parts of make check"
	@echo "make tests                 what they need, built"
	@echo "make check-bare            make quickstart, or RUN=, in a bare Debian made for it: SUITE=bookworm, trixie"
	@echo "make guest                 our own programs inside a sandbox (SnapStart), for make images"
	@echo "make images [IMAGES=...]   base images into build/images; make quickstart-images: only what quickstart needs"
	@echo "make images-lock           the newest Debian packages, into each packages.lock; IMAGES=... into theirs"
	@echo "make bench                 the benchmark: build/bench.json and a table; BENCH=create,warm parts of it; BENCH=profile"
	@echo "make check-kills [N=50]    the processes killed so often under 64 streams and URL load: nobody gets another's bytes"
	@echo "make check-crash [N=100]   each process killed so often while functions come and go: rows, trees and packages must agree"
	@echo "make check-durability [N=200]  processes are killed so often under events and queues: none that was accepted may be lost"
	@echo "make check-backlog [N=1000000]  so many events wait: in bounded memory, and they delay nobody"
	@echo "make check-powercut [N=10] the power is cut so often in a virtual machine: whatever was answered must be there"
	@echo "make check-containers      functions of container images, with those that buildah, docker and BuildKit take long to make"
	@echo "make check-packages        some forty packages from the registries, each at work in a function; N=numpy one of them; FND_TEST_PYTHON=python3.14 another Python"
	@echo "make soak [MINUTES=30]     clients that do everything while processes are killed; nothing may be wrong or left"
	@echo "make sim                   the keep-alive policies on days of generated arrivals: a table"
	@echo "make bench-pairs OLD=DIR   this build beside another commit's, in turns: ratios with their 95 % intervals"
	@echo "make bench-containers      images from a registry beside skopeo and umoci, 200 MB and 1 GB of 120 layers"
	@echo "make bench-density         2,000 idle Python and 3,000 native sandboxes"
	@echo "make bench-layers          a cold start with five layers; 1,000 layers for 1,000 functions"
	@echo "make syntax [CC=clang]     what another compiler says of the sources, in 15 s"
	@echo "make lint / layers         headers alone, clang-tidy, -fanalyzer / the include order"
	@echo "make fuzz                  libFuzzer targets, FUZZ_SECONDS=300 each"
	@echo "make install / uninstall   into DESTDIR and PREFIX; make images first"
	@echo "make deps / clean          Debian packages that are missing / remove the build directory"

.PHONY: check tests check-backlog check-crash check-durability check-kills check-powercut check-containers check-packages soak deps-quiet unit it check-vm check-bare quickstart help fixtures
