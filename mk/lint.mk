# Static checks: see scripts/lint. PART=tidy: one part.
lint:
	@LINT_CFLAGS='-std=gnu17 $(filter-out -Werror,$(WARN)) -D_GNU_SOURCE -DFN_VERSION=\"$(VERSION)\" -DFN_PREFIX=\"$(PREFIX)\" -iquote lib -iquote tests $(PKG_CFLAGS) $(shell $(SYSTEM) pkg-config --cflags python3 2>/dev/null)' \
		scripts/lint $(if $(LINT_JOBS),-j $(LINT_JOBS)) $(PART)
	@$(MAKE) --no-print-directory layers

.PHONY: lint
