# Keep-alive policies on a generated trace: tests/sim.
SIM_OBJ := $(B)/obj/tests/sim/trace.o $(B)/obj/tests/sim/replay.o
$(B)/tests/sim/sim: $(B)/obj/tests/sim/sim.o $(SIM_OBJ) $(B)/lib/pool.a $(B)/lib/base.a
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LD $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lm
sim: $(B)/tests/sim/sim
	@$<
.PHONY: sim
# The same, small, as a test of make unit.
$(B)/tests/unit/pool/test_sim: $(SIM_OBJ)
