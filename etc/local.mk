# The default configuration. One that is there already is the administrator's: never overwritten, and
# removed only if it is still as installed.
EXTRA_DIST += etc/gracefuld.conf

install-data-local: install-config
uninstall-local: uninstall-config

.PHONY: install-config uninstall-config
install-config:
	$(MKDIR_P) "$(DESTDIR)$(sysconfdir)"
	test -e "$(DESTDIR)$(sysconfdir)/gracefuld.conf" || \
		$(INSTALL_DATA) $(srcdir)/etc/gracefuld.conf "$(DESTDIR)$(sysconfdir)/gracefuld.conf"

uninstall-config:
	if cmp -s $(srcdir)/etc/gracefuld.conf "$(DESTDIR)$(sysconfdir)/gracefuld.conf"; then \
		rm -f "$(DESTDIR)$(sysconfdir)/gracefuld.conf"; \
	fi
