# All tests. Those written in Python are run by tests/run-pytest, one file at a time.
include tests/unit/unit.mk
include tests/unit/config.mk
include tests/unit/master.mk
include tests/unit/http.mk
include tests/unit/site.mk
include tests/config/local.mk
include tests/fuzz/local.mk
include tests/ctl/local.mk
include tests/faults/local.mk

# The load generator of the scenarios and of the benchmark.
check_PROGRAMS += tests/hammer
tests_hammer_SOURCES = tests/hammer.c
tests_hammer_CFLAGS = $(AM_CFLAGS) -pthread

# Programs of others under load.
example_tests = tests/scenario/test_examples.py

# (those that take longest first, so that none runs alone at the end)
scenario_tests = \
	tests/faults/test_faults.py \
	tests/scenario/test_leak.py \
	tests/scenario/test_control.py \
	tests/scenario/test_proxy.py \
	tests/scenario/test_exec.py \
	tests/scenario/test_reexec.py \
	tests/scenario/test_handoff.py \
	tests/scenario/test_reload.py \
	tests/scenario/test_attack.py \
	tests/scenario/test_bad_generation.py \
	tests/scenario/test_crash.py \
	tests/scenario/test_drain.py \
	tests/scenario/test_endurance.py \
	tests/scenario/test_http.py \
	tests/scenario/test_limits.py \
	tests/scenario/test_load.py \
	tests/scenario/test_metrics.py \
	tests/scenario/test_module.py \
	tests/scenario/test_pipe.py \
	tests/scenario/test_recycle.py \
	tests/scenario/test_reject.py \
	tests/scenario/test_sandbox.py \
	tests/scenario/test_signals.py \
	tests/scenario/test_unix_path.py

systemd_tests = \
	tests/systemd/test_service.py \
	tests/systemd/test_units.py \
	tests/systemd/test_verdicts.py

TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(srcdir)/tests/run-pytest
AM_TESTS_ENVIRONMENT = \
	GRACEFULD='$(abs_top_builddir)/gracefuld'; export GRACEFULD; \
	GRACEFULD_WORKER='$(abs_top_builddir)/gracefuld-worker'; export GRACEFULD_WORKER; \
	GRACEFULCTL='$(abs_top_builddir)/gracefulctl'; export GRACEFULCTL; \
	HAMMER='$(abs_top_builddir)/tests/hammer'; export HAMMER; \
	GRACEFULD_BUILD='$(abs_top_builddir)'; export GRACEFULD_BUILD;

TESTS += $(example_tests) $(systemd_tests) $(scenario_tests)

EXTRA_DIST += \
	$(example_tests) \
	$(scenario_tests) \
	$(systemd_tests) \
	tests/quick.py \
	tests/run-pytest \
	tests/endurance/course.py \
	tests/endurance/load.py \
	tests/endurance/plan.py \
	tests/endurance/run \
	tests/endurance/tally.py \
	tests/scenario/conftest.py \
	tests/scenario/control.py \
	tests/scenario/fastcgi.py \
	tests/scenario/figures.py \
	tests/scenario/harness.py \
	tests/scenario/hosted_program.py \
	tests/scenario/hostile_worker.py \
	tests/scenario/sock_diag.py tests/scenario/timeslice.py \
	tests/scenario/streams.py \
	tests/scenario/odd_module.c \
	tests/systemd/box.py \
	tests/systemd/conftest.py \
	tests/systemd/newer-tree \
	tests/systemd/sdbox
