# Configuration files with their expected reading, and what is written about the options.
check_PROGRAMS += tests/config/config_dump tests/config/service_dump
tests_config_config_dump_SOURCES = tests/config/config_dump.c
tests_config_config_dump_LDADD = src/libconfig.a src/libbase.a $(LIBCONFIG_LIBS)
tests_config_service_dump_SOURCES = tests/config/service_dump.c
tests_config_service_dump_LDADD = src/libservice.a src/libhttp.a src/libconfig.a src/libipc.a src/libbase.a \
	$(LIBEVENT_LIBS) $(LIBCONFIG_LIBS) $(LIBCARES_LIBS)

config_tests = tests/config/documents tests/config/run
TESTS += $(config_tests)
EXTRA_DIST += $(config_tests) tests/config/cases
