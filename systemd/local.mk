# Units, the account of the workers, and the journal's catalog. The service and its template are one file with different names in it.
nodist_systemdsystemunit_DATA = \
	systemd/gracefuld.service \
	systemd/gracefuld@.service
dist_systemdsystemunit_DATA = systemd/gracefuld.socket
dist_sysusers_DATA = systemd/sysusers.d/gracefuld.conf
dist_catalog_DATA = systemd/gracefuld.catalog

EXTRA_DIST += systemd/gracefuld.service.in
CLEANFILES += $(nodist_systemdsystemunit_DATA)

# $(call) is not portable make; the two rules differ in the last three lines.
unit_sed = $(SED) -e 's|[@]sbindir[@]|$(sbindir)|g' -e 's|[@]bindir[@]|$(bindir)|g'

systemd/gracefuld.service: systemd/gracefuld.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(unit_sed) \
		-e 's|[@]of_instance[@]||' \
		-e 's|[@]config[@]|$(sysconfdir)/gracefuld.conf|' \
		-e 's|[@]name[@]|gracefuld|' $(srcdir)/systemd/gracefuld.service.in >$@.new && mv $@.new $@

systemd/gracefuld@.service: systemd/gracefuld.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(unit_sed) \
		-e 's|[@]of_instance[@]| (%i)|' \
		-e 's|[@]config[@]|$(sysconfdir)/gracefuld/%i.conf|' \
		-e 's|[@]name[@]|gracefuld-%i|' $(srcdir)/systemd/gracefuld.service.in >$@.new && mv $@.new $@
