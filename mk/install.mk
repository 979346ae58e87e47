# make install: fnd in sbin, its helpers in libexec, data in share, configuration in SYSCONFDIR. make uninstall removes what install
# put there; a configuration that was changed stays, and so does /var/lib/fnd. fnd finds its files from where it is, wherever that is.
SYSCONFDIR ?= /etc
SBIN := $(DESTDIR)$(PREFIX)/sbin
BIN := $(DESTDIR)$(PREFIX)/bin
LIBEXEC := $(DESTDIR)$(PREFIX)/libexec/fnd
SHARE := $(DESTDIR)$(PREFIX)/share
UNITS := $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERS := $(DESTDIR)$(PREFIX)/lib/sysusers.d
ETC := $(DESTDIR)$(SYSCONFDIR)/fnd
INSTALL ?= install
# All defaults, but functions of a service reach the network.
SERVICE_CONFIG := sed 's/"mode": "loopback"/"mode": "nat"/' config/fnd.json

install: all
	$(Q)$(INSTALL) -d $(SBIN) $(BIN) $(LIBEXEC) $(SHARE)/fnd/images $(SHARE)/man/man1 $(SHARE)/man/man8 \
		$(SHARE)/bash-completion/completions $(UNITS) $(SYSUSERS) $(ETC)
	$(Q)$(INSTALL) -m 755 $(B)/fnd $(SBIN)/fnd
	$(Q)$(INSTALL) -m 755 $(B)/fn-spawnd $(B)/fn-unpack $(B)/fn-fetch $(B)/fn-gateway $(B)/fn-events $(LIBEXEC)
	$(Q)$(INSTALL) -m 755 $(B)/fnctl $(BIN)/fnctl
	$(Q)$(INSTALL) -m 644 config/runtimes.json $(SHARE)/fnd/runtimes.json
	$(Q)$(INSTALL) -m 644 cmd/fnctl/fnctl.1 $(SHARE)/man/man1/fnctl.1
	$(Q)$(INSTALL) -m 644 cmd/fnd/fnd.8 $(SHARE)/man/man8/fnd.8
	$(Q)$(INSTALL) -m 644 cmd/fnctl/fnctl.bash $(SHARE)/bash-completion/completions/fnctl
	$(Q)sed 's,/usr/local/,$(PREFIX)/,' config/fnd.service >$(UNITS)/fnd.service && chmod 644 $(UNITS)/fnd.service
	$(Q)$(INSTALL) -m 644 config/fnd.sysusers $(SYSUSERS)/fnd.conf
	$(Q)[ -e $(ETC)/fnd.json ] || { $(SERVICE_CONFIG) >$(ETC)/fnd.json && chmod 640 $(ETC)/fnd.json; }
	$(Q)for f in $(wildcard $(IMAGE_DIR)/*.tar) $(wildcard $(IMAGE_DIR)/*.json); do $(INSTALL) -m 644 $$f $(SHARE)/fnd/images || exit 1; done
	$(Q)cd $(SHARE)/fnd/images && for f in *.tar; do [ ! -e $$f ] || grep -qs $$f *.json || rm $$f; done # of images that others have taken the place of
	@ls $(SHARE)/fnd/images/*.json >/dev/null 2>&1 || echo "No base images are built, so none are installed: make images, then make install again"
	@echo "Installed below $(DESTDIR)$(PREFIX); configuration: $(ETC)/fnd.json"

uninstall:
	$(Q)rm -f $(SBIN)/fnd $(LIBEXEC)/fn-spawnd $(LIBEXEC)/fn-unpack $(LIBEXEC)/fn-fetch $(LIBEXEC)/fn-gateway $(LIBEXEC)/fn-events $(BIN)/fnctl $(SHARE)/fnd/runtimes.json $(SHARE)/fnd/images/*.json \
		$(SHARE)/fnd/images/*.tar $(SHARE)/man/man1/fnctl.1 $(SHARE)/man/man8/fnd.8 $(SHARE)/bash-completion/completions/fnctl \
		$(UNITS)/fnd.service $(SYSUSERS)/fnd.conf
	$(Q)if $(SERVICE_CONFIG) | cmp -s - $(ETC)/fnd.json; then rm $(ETC)/fnd.json; \
		elif [ -e $(ETC)/fnd.json ]; then echo "kept, since it was changed: $(ETC)/fnd.json"; fi
	$(Q)rmdir --ignore-fail-on-non-empty $(wildcard $(LIBEXEC) $(SHARE)/fnd/images $(ETC))
	$(Q)[ ! -d $(SHARE)/fnd ] || rmdir --ignore-fail-on-non-empty $(SHARE)/fnd
	@echo "Removed. Functions, code and logs stay in the state directory (/var/lib/fnd)"

.PHONY: install uninstall
