# Layer "config": the configuration file, read, checked and compared. Above: base.
noinst_LIBRARIES += src/libconfig.a
src_libconfig_a_SOURCES = \
	src/config/bytes.c src/config/bytes.h \
	src/config/config.c src/config/config.h \
	src/config/diff.c \
	src/config/duration.c src/config/duration.h \
	src/config/exec_options.c src/config/exec_options.h \
	src/config/listen.c src/config/listen.h \
	src/config/option.c src/config/option.h \
	src/config/places.c src/config/places.h \
	src/config/problem.c src/config/problem.h \
	src/config/scan.c src/config/scan.h \
	src/config/source.c src/config/source.h \
	src/config/syntax.c src/config/syntax.h \
	src/config/tree.c src/config/tree.h \
	src/config/value.c src/config/value.h
