# Unit tests of the service http.
site_unit_tests = \
	tests/unit/access_log_test \
	tests/unit/condition_test \
	tests/unit/path_test \
	tests/unit/range_test \
	tests/unit/site_handoff_test

if ENABLE_TESTS
check_PROGRAMS += $(site_unit_tests)
TESTS += $(site_unit_tests)
endif

tests_unit_access_log_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_access_log_test_LDADD = $(service_test_ldadd) $(JANSSON_LIBS)
tests_unit_condition_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_condition_test_LDADD = $(service_test_ldadd)
tests_unit_path_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_path_test_LDADD = $(service_test_ldadd)
tests_unit_range_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_range_test_LDADD = $(service_test_ldadd)
tests_unit_site_handoff_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_site_handoff_test_LDADD = $(service_test_ldadd)
