# The programs. Each links its layers from the highest to the lowest.
sbin_PROGRAMS += gracefuld
gracefuld_SOURCES = src/gracefuld.c
gracefuld_LDADD = \
	src/libcontrol.a src/libmaster.a src/libhttp.a src/libconfig.a src/libsystemd-glue.a src/libipc.a src/libbase.a \
	$(LIBEVENT_LIBS) $(LIBCONFIG_LIBS) $(LIBMD_LIBS) $(LIBSYSTEMD_LIBS) $(JANSSON_LIBS)

libexec_PROGRAMS += gracefuld-worker
gracefuld_worker_SOURCES = src/gracefuld-worker.c
gracefuld_worker_LDADD = \
	src/libworker.a src/libservice.a src/libhttp.a src/libconfig.a src/libsystemd-glue.a src/libipc.a src/libbase.a \
	$(LIBEVENT_LIBS) $(LIBCONFIG_LIBS) $(LIBSYSTEMD_LIBS) $(LIBCARES_LIBS)

bin_PROGRAMS += gracefulctl
gracefulctl_SOURCES = src/gracefulctl.c
gracefulctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
gracefulctl_LDADD = \
	src/libctl.a src/libconfig.a src/libbase.a \
	$(LIBCURL_LIBS) $(JANSSON_LIBS) $(LIBCONFIG_LIBS) $(LIBMD_LIBS)

if SANITIZE
gracefuld_SOURCES += tests/leak_roots.c
gracefuld_worker_SOURCES += tests/leak_roots.c
gracefulctl_SOURCES += tests/leak_roots.c
endif
