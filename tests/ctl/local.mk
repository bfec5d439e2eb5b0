# Tests of gracefulctl: its layout by unit tests, its commands against a daemon that the tests play.
ctl_unit_tests = \
	tests/ctl/human_test \
	tests/ctl/shown_test \
	tests/ctl/table_test

ctl_test_ldadd = src/libctl.a src/libbase.a $(CMOCKA_LIBS)

if ENABLE_TESTS
check_PROGRAMS += $(ctl_unit_tests)
TESTS += $(ctl_unit_tests)
endif

tests_ctl_human_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_ctl_human_test_LDADD = $(ctl_test_ldadd)
tests_ctl_shown_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_ctl_shown_test_LDADD = $(ctl_test_ldadd)
tests_ctl_table_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_ctl_table_test_LDADD = $(ctl_test_ldadd)

ctl_tests = \
	tests/ctl/test_change.py \
	tests/ctl/test_completion.py \
	tests/ctl/test_events.py \
	tests/ctl/test_hostile.py \
	tests/ctl/test_progress.py \
	tests/ctl/test_settings.py \
	tests/ctl/test_status.py

TESTS += $(ctl_tests)

EXTRA_DIST += \
	$(ctl_tests) \
	tests/ctl/conftest.py \
	tests/ctl/fake_daemon.py \
	tests/ctl/screen.py
