# Base images: built from Debian packages into $(B)/images, from where fnd installs them at start.
IMAGES := provided.al2023 python3.11
images:
	@for i in $(IMAGES); do rootfs/build-image rootfs/$$i $(IMAGE_DIR) || exit 1; done

# A build directory of its own (sanitizers) shares the images: they do not depend on how the daemon is compiled.
IMAGE_DIR ?= build/images

.PHONY: images
