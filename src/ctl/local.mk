# Layer "ctl": the client of the daemon's control socket. Above: base, config.
noinst_LIBRARIES += src/libctl.a
src_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(LIBCURL_CFLAGS) $(JANSSON_CFLAGS) -DGRACEFULD_SBINDIR='"$(sbindir)"'
src_libctl_a_SOURCES = \
	src/ctl/api.c src/ctl/api.h \
	src/ctl/change.c src/ctl/change.h \
	src/ctl/client.c src/ctl/client.h \
	src/ctl/ctl.c src/ctl/ctl.h \
	src/ctl/events.c src/ctl/events.h \
	src/ctl/following.c src/ctl/following.h \
	src/ctl/human.c src/ctl/human.h \
	src/ctl/line.c src/ctl/line.h \
	src/ctl/progress.c src/ctl/progress.h \
	src/ctl/settings.c src/ctl/settings.h \
	src/ctl/shown.c src/ctl/shown.h \
	src/ctl/status.c src/ctl/status.h \
	src/ctl/status_view.c src/ctl/status_view.h \
	src/ctl/table.c src/ctl/table.h \
	src/ctl/terminal.c src/ctl/terminal.h \
	src/ctl/upstreams.c src/ctl/upstreams.h \
	src/ctl/verdict.c src/ctl/verdict.h
