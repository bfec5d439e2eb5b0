# Unit tests of the layers below the master, each linked with its own layer and those below it: an upward call is a link
# error. The worker as a whole is tested by its contract.
base_test_ldadd = src/libbase.a $(CMOCKA_LIBS)
ipc_test_ldadd = src/libipc.a $(base_test_ldadd)
service_test_ldadd = src/libservice.a src/libhttp.a src/libconfig.a $(ipc_test_ldadd) $(LIBEVENT_LIBS) $(LIBCONFIG_LIBS) \
	$(LIBCARES_LIBS)
worker_test_ldadd = src/libworker.a src/libservice.a src/libhttp.a src/libconfig.a src/libsystemd-glue.a \
	$(ipc_test_ldadd) $(LIBEVENT_LIBS) $(LIBCONFIG_LIBS) $(LIBCARES_LIBS)

layer_tests = \
	tests/unit/acceptor_test \
	tests/unit/counters_test \
	tests/unit/fd_test \
	tests/unit/handoff_test \
	tests/unit/handover_test \
	tests/unit/line_reader_test \
	tests/unit/log_pump_test \
	tests/unit/log_test \
	tests/unit/message_test \
	tests/unit/pace_test \
	tests/unit/proxy_options_test \
	tests/unit/proxy_protocol_test \
	tests/unit/proxy_rules_test \
	tests/unit/registry_test \
	tests/unit/sandbox_test \
	tests/unit/service_test \
	tests/unit/slab_test \
	tests/unit/text_test \
	tests/unit/timeslice_test

if SANITIZE
layer_tests += tests/unit/leaks_test
endif

if ENABLE_TESTS
check_PROGRAMS += $(layer_tests)
TESTS += $(layer_tests)
endif

tests_unit_acceptor_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_acceptor_test_LDADD = $(worker_test_ldadd)
tests_unit_counters_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_counters_test_LDADD = $(ipc_test_ldadd)
tests_unit_fd_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_fd_test_LDADD = $(base_test_ldadd)
tests_unit_handoff_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_handoff_test_LDADD = $(ipc_test_ldadd)
tests_unit_handover_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_handover_test_LDADD = $(worker_test_ldadd)
tests_unit_leaks_test_SOURCES = tests/unit/leaks_test.c tests/leak_roots.c
tests_unit_leaks_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_leaks_test_LDADD = $(base_test_ldadd)
tests_unit_line_reader_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_line_reader_test_LDADD = $(ipc_test_ldadd)
tests_unit_log_pump_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_log_pump_test_LDADD = $(base_test_ldadd) $(LIBEVENT_LIBS)
tests_unit_log_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_log_test_LDADD = $(base_test_ldadd)
tests_unit_message_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_message_test_LDADD = $(ipc_test_ldadd)
tests_unit_proxy_options_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_proxy_options_test_LDADD = $(service_test_ldadd)
tests_unit_proxy_protocol_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_proxy_protocol_test_LDADD = $(service_test_ldadd)
tests_unit_proxy_rules_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_proxy_rules_test_LDADD = $(service_test_ldadd)
tests_unit_pace_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_pace_test_LDADD = $(base_test_ldadd)
tests_unit_registry_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_registry_test_LDADD = $(service_test_ldadd)
tests_unit_sandbox_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_test_LDADD = $(worker_test_ldadd)
tests_unit_service_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_service_test_LDADD = $(service_test_ldadd)
tests_unit_slab_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_slab_test_LDADD = $(base_test_ldadd)
tests_unit_text_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_text_test_LDADD = $(base_test_ldadd)
tests_unit_timeslice_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_timeslice_test_LDADD = $(base_test_ldadd)

# Needs the built program, which tests/local.mk names to it.
TESTS += tests/unit/worker_contract_test.py
EXTRA_DIST += tests/unit/worker_contract_test.py
