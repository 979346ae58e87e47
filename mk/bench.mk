# Benchmarks: see tests/bench/run. make bench [BENCH=warm,cold] [BENCH_SECONDS=1]; make bench-density
BENCH_BIN := $(addprefix $(B)/tests/bench/,spawn_bench mhd_echo relay load times floors guest cgroup_bench logs_bench policies)
$(B)/tests/bench/guest: tests/bench/guest.c
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC $<")
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -static -s -o $@ $<
$(B)/obj/tests/bench/mhd_echo.o: CFLAGS += $(shell $(SYSTEM) pkg-config --cflags libmicrohttpd 2>/dev/null)
$(B)/tests/bench/mhd_echo: BENCH_LIBS = $(shell $(SYSTEM) pkg-config --libs libmicrohttpd 2>/dev/null)
$(B)/tests/bench/%: $(B)/obj/tests/bench/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LD $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS) $(BENCH_LIBS)
BENCH_BIN += $(B)/tests/bench/sqs_load
bench-build: all fixtures $(BENCH_BIN)
bench: bench-build images
	@tests/bench/run --build $(B) $(if $(BENCH),--parts $(BENCH)) $(if $(BENCH_SECONDS),--seconds $(BENCH_SECONDS))
# 2,000 idle Python and 3,000 native sandboxes: several minutes and gigabytes, so only on demand
bench-density: bench-build images
	@tests/bench/run --build $(B) --parts density --add
# A cold start with five layers beside one without; 1,000 layers for 1,000 functions: some minutes, on demand
bench-layers: bench-build images
	@tests/bench/run --build $(B) --parts layers,thousand --add
# This build beside another commit's, in turns: git worktree add ../old COMMIT; make -C ../old all fixtures images; make bench-pairs OLD=../old
bench-pairs: bench-build images
	@tests/bench/pairs --build $(B) --old $(OLD) --pairs $(or $(PAIRS),30)
# Container images: from a registry until Active beside skopeo and umoci, 200 MB and 1 GB of 120 layers; a cold start beside a zip's. Needs skopeo, umoci
bench-containers: bench-build images
	@tests/bench/containers --build $(B) $(if $(ROUNDS),--rounds $(ROUNDS))
.PHONY: bench bench-build bench-containers bench-density bench-layers bench-pairs
