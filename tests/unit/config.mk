# Unit tests of the layer "config".
config_test_ldadd = src/libconfig.a src/libbase.a $(CMOCKA_LIBS) $(LIBCONFIG_LIBS)

config_unit_tests = \
	tests/unit/config_test \
	tests/unit/duration_test \
	tests/unit/option_test \
	tests/unit/problem_test \
	tests/unit/scan_test \
	tests/unit/source_test

if ENABLE_TESTS
check_PROGRAMS += $(config_unit_tests)
TESTS += $(config_unit_tests)
endif

tests_unit_config_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_config_test_LDADD = $(config_test_ldadd)
tests_unit_duration_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_duration_test_LDADD = $(config_test_ldadd)
tests_unit_option_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_option_test_LDADD = $(config_test_ldadd)
tests_unit_problem_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_problem_test_LDADD = $(config_test_ldadd)
tests_unit_scan_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_scan_test_LDADD = $(config_test_ldadd)
tests_unit_source_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_source_test_LDADD = $(config_test_ldadd)
