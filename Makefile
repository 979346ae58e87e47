# fnd - a self-hosted function platform that speaks AWS Lambda's API.
#   make              build/fnd, build/fn-spawnd, build/fn-unpack, build/fn-fetch, build/fn-gateway, build/fn-events, build/fnctl
#   make quickstart   dependencies, build, base images, a first function, invoked cold and warm
#   make check        every test; ends with "N passed, N failed, N skipped"
#   make help         the rest
# Variables: CC=gcc|clang  SAN=address,undefined  B=<build directory>  PREFIX=/usr/local  DESTDIR=

# The system's tools come before others of the same names: of a pyenv, a conda, an nvm. $(shell) does not get what is exported, so it has $(SYSTEM).
SYSTEM_PATH := /usr/sbin:/usr/bin:/sbin:/bin
ifeq ($(filter $(SYSTEM_PATH):%,$(PATH)),)
export PATH := $(SYSTEM_PATH):$(PATH)
endif
SYSTEM := PATH='$(PATH)'

ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
comma := ,
B ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# The layers of the code, lowest first. A folder may include itself and folders on an
# earlier line, never a sibling on its own line (scripts/layers.sh checks it). Inside a
# folder the files form no circle (scripts/circles.sh).
LAYER_0 := base
LAYER_1 := os web db
LAYER_2 := model aws logs queue
LAYER_3 := store image sandbox service
LAYER_4 := spawn
LAYER_5 := runtime
LAYER_6 := env
LAYER_7 := pool
LAYER_8 := invoke sqs
LAYER_9 := api gateway events
LAYERS := 0 1 2 3 4 5 6 7 8 9
LIBS := $(foreach l,$(LAYERS),$(LAYER_$(l)))
PROGRAMS := fnd fn-spawnd fn-unpack fn-fetch fn-gateway fn-events fnctl

PKGS := jansson libmicrohttpd gnutls sqlite3 libcurl libseccomp nettle libnl-3.0 libnl-route-3.0 libarchive libnftables libcgroup libpcre2-8
PKG_CFLAGS := $(shell $(SYSTEM) pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(SYSTEM) pkg-config --libs $(PKGS) 2>/dev/null)
CHECK_LIBS := $(shell $(SYSTEM) pkg-config --libs check 2>/dev/null)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wno-format-truncation
ifneq ($(findstring clang,$(CC)),)
WARN := $(filter-out -Wno-format-truncation,$(WARN)) -Wno-missing-field-initializers
endif
OPT ?= -O2
CFLAGS_ALL = -std=gnu17 $(OPT) -g $(WARN) -D_GNU_SOURCE -DFN_VERSION='"$(VERSION)"' -DFN_PREFIX='"$(PREFIX)"' \
	-fPIE -fno-omit-frame-pointer -fstack-protector-strong -iquote lib -iquote tests -MMD -MP $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
ifneq ($(SAN),)
CFLAGS_ALL += -fsanitize=$(SAN) -fno-sanitize-recover=all $(if $(findstring address,$(SAN)),-DFN_ASAN)
LDFLAGS_ALL += -fsanitize=$(SAN)
else
CFLAGS_ALL += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

all: $(addprefix $(B)/,$(PROGRAMS))

# --- objects, one archive per folder -------------------------------------------------
define LIB_RULES
SRC_$(1) := $$(wildcard lib/$(1)/*.c)
OBJ_$(1) := $$(SRC_$(1):%.c=$(B)/obj/%.o)
$(B)/lib/$(1).a: $$(OBJ_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$(AR) rcsD $$@ $$(OBJ_$(1))
lib-$(1): $(B)/lib/$(1).a
endef
$(foreach l,$(LIBS),$(eval $(call LIB_RULES,$(l))))

Q := $(if $(V),,@)
$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC $<")
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@

reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
ARCHIVES := $(foreach l,$(call reverse,$(LIBS)),$(B)/lib/$(l).a)

# What a program may link, where that is not all.
LIBS_fn-gateway := base os web model aws gateway
LIBS_fn-events := base os web db model aws queue service sqs events
archives_of = $(if $(LIBS_$(1)),$(foreach l,$(call reverse,$(LIBS_$(1))),$(B)/lib/$(l).a),$(ARCHIVES))

define PROGRAM_RULES
$(B)/$(1): $$(patsubst %.c,$(B)/obj/%.o,$$(wildcard cmd/$(1)/*.c)) $(call archives_of,$(1))
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  LD $$@")
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $$(PKG_LIBS)
endef
# The thread sanitizer has a thread of its own in each process, and wants calls and address space that fn-fetch's and fn-unpack's limits forbid; fn-spawnd has one
# thread alone (clone3): they come from a plain build.
PLAIN := $(if $(findstring thread,$(SAN)),fn-spawnd fn-unpack fn-fetch)
$(foreach p,$(filter-out $(PLAIN),$(PROGRAMS)),$(eval $(call PROGRAM_RULES,$(p))))
ifneq ($(PLAIN),)
$(PLAIN:%=$(B)/%) &: FORCE # by one make: several would make the same archives at once
	@mkdir -p $(B)
	$(Q)$(MAKE) --no-print-directory SAN= B=build $(PLAIN:%=build/%)
	$(Q)cp $(PLAIN:%=build/%) $(B)
endif
# Phony: as a file that is not there it would force nothing (.SECONDARY)
.PHONY: FORCE
FORCE:

# --- unit tests: tests/unit/<folder>/test_<file>.c, linked with that folder and lower layers only
lower_0 :=
$(foreach l,$(LAYERS),$(eval upto_$(l) := $(foreach k,$(LAYERS),$(if $(filter 1,$(shell [ $(k) -lt $(l) ] && echo 1)),$(LAYER_$(k))))))
$(foreach l,$(LAYERS),$(foreach f,$(LAYER_$(l)),$(eval links_$(f) := $(f) $(call reverse,$(upto_$(l))))))

UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(UNIT_SRC:%.c=$(B)/%)
define UNIT_RULES
$(B)/$(1:%.c=%): $(B)/obj/$(1:%.c=%.o) $(foreach f,$(links_$(2)),$(B)/lib/$(f).a)
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  LD $$@")
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $$(CHECK_LIBS) $$(PKG_LIBS)
endef
$(foreach s,$(UNIT_SRC),$(eval $(call UNIT_RULES,$(s),$(word 3,$(subst /, ,$(s))))))
unit-build: $(UNIT_BIN)
# make unit-os: builds and runs one folder's unit tests
$(foreach f,$(LIBS),$(eval unit-$(f): $(filter $(B)/tests/unit/$(f)/%,$(UNIT_BIN)); @for t in $$^; do $$$$t || exit 1; done))

-include $(wildcard Makefile.local)
-include mk/*.mk
-include $(shell $(SYSTEM) find $(B)/obj -name '*.d' 2>/dev/null)

layers: export COMPILE = $(CC) $(CFLAGS_ALL) -O0 -g0 -w -MF /dev/null
layers:
	@scripts/layers.sh $(foreach l,$(LAYERS),$(l):$(subst $() ,$(comma),$(LAYER_$(l))))
	@scripts/circles.sh $(LIBS)

# What a compiler says of all the sources, without building: make CC=clang syntax. 15 s.
syntax: export COMPILE = $(CC) $(CFLAGS_ALL) -MF /dev/null -fsyntax-only
syntax:
	@printf '%s\n' $(wildcard lib/*/*.c cmd/*/*.c) | xargs -P 2 -n 8 sh -c 'for f; do eval "$$COMPILE $$f" || exit 255; done' sh

deps:
	@scripts/deps.sh

clean:
	rm -rf $(B)

.PHONY: all layers syntax deps clean unit-build
.SECONDARY:
.DELETE_ON_ERROR:
