# Fuzzing. Each tests/fuzz/fuzz_<x>.c defines LLVMFuzzerTestOneInput(). Built twice:
#   with any compiler and replay.c: feeds it files; make check replays the seeds (tests/run, part "fuzz")
#   make fuzz [FUZZ=x] [FUZZ_SECONDS=300] [FUZZ_JOBS=2]: with clang and libFuzzer; what it finds is kept in build/fuzz/crash-*
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(B)/%)
$(FUZZ_BIN): $(B)/%: $(B)/obj/%.o $(B)/obj/tests/fuzz/fuzz.o $(if $(LIBFUZZER),,$(B)/obj/tests/fuzz/replay.o) $(ARCHIVES)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LD $@")
	$(Q)$(CC) $(LDFLAGS_ALL) $(if $(LIBFUZZER),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)
fuzz-build: $(FUZZ_BIN)
$(B)/obj/tests/fuzz/%.o: CFLAGS += $(if $(LIBFUZZER),-DFUZZ_LIBFUZZER)

fuzz:
	@$(MAKE) --no-print-directory -j2 B=build/fuzz CC=clang SAN=fuzzer-no-link,address,undefined LIBFUZZER=1 fuzz-build
	@tests/fuzz/run $(FUZZ)

.PHONY: fuzz fuzz-build
