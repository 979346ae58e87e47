# Benchmarks: see tests/bench/run.
BENCH_BIN := $(B)/tests/bench/spawn_bench $(B)/tests/bench/cgroup_bench
$(B)/tests/bench/%: $(B)/obj/tests/bench/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LD $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)
