# Unit tests of the master: its rules need no process.
master_test_ldadd = \
	src/libmaster.a src/libconfig.a src/libsystemd-glue.a src/libipc.a src/libbase.a \
	$(CMOCKA_LIBS) $(LIBEVENT_LIBS) $(LIBCONFIG_LIBS) $(LIBMD_LIBS) $(LIBSYSTEMD_LIBS) $(JANSSON_LIBS)

master_tests = \
	tests/unit/heirs_test \
	tests/unit/hosted_test \
	tests/unit/loop_test \
	tests/unit/recycle_test \
	tests/unit/roll_explore_test \
	tests/unit/rules_test \
	tests/unit/selector_test \
	tests/unit/stray_test \
	tests/unit/unix_socket_test \
	tests/unit/worker_state_test

if ENABLE_TESTS
check_PROGRAMS += $(master_tests)
TESTS += $(master_tests)
endif

tests_unit_heirs_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_heirs_test_LDADD = $(master_test_ldadd)
tests_unit_hosted_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_hosted_test_LDADD = $(master_test_ldadd)
tests_unit_loop_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_loop_test_LDADD = $(master_test_ldadd)
tests_unit_recycle_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_recycle_test_LDADD = $(master_test_ldadd)
tests_unit_roll_explore_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_roll_explore_test_LDADD = $(master_test_ldadd)
tests_unit_rules_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_rules_test_LDADD = $(master_test_ldadd)
tests_unit_selector_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_selector_test_LDADD = $(master_test_ldadd)
tests_unit_stray_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_stray_test_LDADD = $(master_test_ldadd)
tests_unit_unix_socket_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_unix_socket_test_LDADD = $(master_test_ldadd)
tests_unit_worker_state_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_worker_state_test_LDADD = $(master_test_ldadd)

# The heritage is that of the master and of what stands above it.
if ENABLE_TESTS
check_PROGRAMS += tests/unit/heritage_test
TESTS += tests/unit/heritage_test
endif
tests_unit_heritage_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_heritage_test_LDADD = \
	src/libcontrol.a src/libmaster.a src/libhttp.a src/libconfig.a src/libsystemd-glue.a src/libipc.a src/libbase.a \
	$(CMOCKA_LIBS) $(LIBEVENT_LIBS) $(LIBCONFIG_LIBS) $(LIBMD_LIBS) $(LIBSYSTEMD_LIBS) $(JANSSON_LIBS)
EXTRA_DIST += tests/unit/heritage.json
