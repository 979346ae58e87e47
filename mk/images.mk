# Base images: built from Debian and npm packages into $(B)/images, from where fnd installs them at start.
#   make images                        what the tests need
#   make images IMAGES=nodejs24.x      others on demand: any directory of rootfs with a recipe.json that has a name
# Not every version by default: a Node.js image is 120 to 140 MB to download, to keep as an archive and to unpack. nodejs22.x is what new functions
# use, nodejs20.x the oldest that still has the old rules of modules; nodejs18.x and nodejs24.x are for whom needs them.
QUICKSTART_IMAGES := provided.al2023 python3.11
IMAGES := $(QUICKSTART_IMAGES) nodejs20.x nodejs22.x
images:
	@for i in $(IMAGES); do rootfs/build-image rootfs/$$i $(IMAGE_DIR) || exit 1; done

quickstart-images:
	@$(MAKE) --no-print-directory images IMAGES="$(QUICKSTART_IMAGES)" IMAGE_DIR=$(IMAGE_DIR)

# A build directory of its own (sanitizers) shares the images: they do not depend on how the daemon is compiled.
IMAGE_DIR ?= build/images

.PHONY: images quickstart-images
