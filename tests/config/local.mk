# Configuration files with their expected reading, and what is written about the options.
check_PROGRAMS += tests/config/config_dump
tests_config_config_dump_SOURCES = tests/config/config_dump.c
tests_config_config_dump_LDADD = src/libconfig.a src/libbase.a $(LIBCONFIG_LIBS)

config_tests = tests/config/documents tests/config/run
TESTS += $(config_tests)
EXTRA_DIST += $(config_tests) tests/config/cases
