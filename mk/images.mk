# Base images: built from Debian, PyPI and npm packages into $(B)/images, from where fnd installs them at start.
#   make images                        what the tests need
#   make images IMAGES=nodejs24.x      others on demand: any directory of rootfs with a recipe.json that has a name
#   make images IMAGE_FLAGS=--locked   nothing but what packages.lock names; --mirror=URL, --force: rootfs/build-image has them all
#   make images-lock [IMAGES=...]      the newest Debian packages, written to each packages.lock
# Not every version by default: an image is 30 (Ruby) to 143 MB (Node.js) to download, to keep as an archive and to unpack, beside what all share.
# nodejs22.x and python3.13 are what new functions use, nodejs20.x the oldest that still has the old rules of modules; the others are for whom needs them.
QUICKSTART_IMAGES := provided.al2023 python3.11
IMAGES := $(QUICKSTART_IMAGES) python3.13 nodejs20.x nodejs22.x nodejs24.x ruby3.3 java21 java25
images: guest
	@for i in $(IMAGES); do rootfs/build-image rootfs/$$i $(IMAGE_DIR) --guest $(B)/guest $(IMAGE_FLAGS) || exit 1; done

# All of them, with the layers below; also of images that are not built by default: what is in a layer is part of the request of those above.
LOCKED := $(filter-out base base-%,$(patsubst rootfs/%/packages.lock,%,$(sort $(wildcard rootfs/*/packages.lock))))
images-lock: guest
	@for i in $(if $(filter command environment,$(firstword $(origin IMAGES))),$(IMAGES),$(LOCKED)); do rootfs/build-image rootfs/$$i $(IMAGE_DIR) --guest $(B)/guest --update-lock || exit 1; done

# Our own programs inside a sandbox (rootfs/snapshot): one without a C library, below 4 MiB (restore.c tells why), one that Python loads.
# Not sanitized, whatever the daemon is: they run in the function's image.
GUEST_CFLAGS := -std=gnu17 -O2 -g0 $(WARN) -D_GNU_SOURCE -fno-stack-protector -fcf-protection=none -U_FORTIFY_SOURCE
GUEST_HEADERS := $(wildcard rootfs/snapshot/*.h) rootfs/libc.h
guest: $(B)/guest/libfnd_ahead.so $(B)/guest/fnd-archive $(if $(filter x86_64,$(shell $(SYSTEM) uname -m)),$(B)/guest/fnd-restore $(B)/guest/_fnd_snapshot.abi3.so)
$(B)/guest/fnd-restore: rootfs/snapshot/restore.c $(GUEST_HEADERS)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC $<")
	$(Q)$(CC) $(GUEST_CFLAGS) -fno-pie -fno-builtin -static -nostdlib -nostartfiles -Wl,-Ttext-segment=0x10000 -Wl,--build-id=none \
		-Wl,-z,noseparate-code -Wl,-z,noexecstack -o $@ $<
$(B)/guest/_fnd_snapshot.abi3.so: $(addprefix rootfs/snapshot/,save.c descriptors.c tmp.c module.c) $(GUEST_HEADERS)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC $@")
	$(Q)$(CC) $(GUEST_CFLAGS) $(shell $(SYSTEM) pkg-config --cflags python3 2>/dev/null) -fPIC -shared -Wl,--build-id=none -o $@ $(filter %.c,$^)
	@! nm -D $@ | grep -E 'GLIBC_2\.(3[7-9]|[4-9][0-9])' || { echo "$@: the images' C library (2.36) lacks these" >&2; exit 1; }
# The same for Java (rootfs/java/ahead.c).
$(B)/guest/libfnd_ahead.so: rootfs/java/ahead.c rootfs/libc.h
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC $@")
	$(Q)$(CC) $(GUEST_CFLAGS) -fvisibility=hidden -fPIC -shared -Wl,--build-id=none -o $@ $<
	@! nm -D $@ | grep -E 'GLIBC_2\.(3[7-9]|[4-9][0-9])' || { echo "$@: the images' C library (2.36) lacks these" >&2; exit 1; }
$(B)/guest/fnd-archive: rootfs/java/archive.c rootfs/libc.h
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC $<")
	$(Q)$(CC) $(GUEST_CFLAGS) -fPIE -pie -Wl,--build-id=none -o $@ $<
	@! nm -D $@ | grep -E 'GLIBC_2\.(3[7-9]|[4-9][0-9])' || { echo "$@: the images' C library (2.36) lacks these" >&2; exit 1; }

quickstart-images:
	@$(MAKE) --no-print-directory images IMAGES="$(QUICKSTART_IMAGES)" IMAGE_DIR=$(IMAGE_DIR)

# A build directory of its own (sanitizers) shares the images: they do not depend on how the daemon is compiled.
IMAGE_DIR ?= build/images

.PHONY: images images-lock guest quickstart-images
