# Layer "base": what any daemon needs; knows nothing of gracefuld.
noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = \
	src/base/cleanup.h \
	src/base/clock.c src/base/clock.h \
	src/base/fd.c src/base/fd.h \
	src/base/log.c src/base/log.h \
	src/base/log_backlog.c src/base/log_backlog.h \
	src/base/log_pump.c src/base/log_pump.h \
	src/base/socket.c src/base/socket.h \
	src/base/slab.c src/base/slab.h \
	src/base/pace.c src/base/pace.h \
	src/base/sanitizer.h \
	src/base/text.c src/base/text.h \
	src/base/timeslice.c src/base/timeslice.h \
	src/base/trust.c src/base/trust.h
