# Layer "systemd": what gracefuld says to systemd and takes from it. Above: base.
noinst_LIBRARIES += src/libsystemd-glue.a
src_libsystemd_glue_a_SOURCES = \
	src/systemd/journal.c src/systemd/journal.h \
	src/systemd/listen_fds.c src/systemd/listen_fds.h \
	src/systemd/notify.c src/systemd/notify.h
