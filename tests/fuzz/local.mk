# Fuzz targets. "make check" runs them over the kept corpus; tests/fuzz/run fuzzes, with clang.
fuzz_replays = \
	tests/fuzz/fuzz-config-replay \
	tests/fuzz/fuzz-handoff-replay \
	tests/fuzz/fuzz-line-replay \
	tests/fuzz/fuzz-proxy-replay

check_PROGRAMS += $(fuzz_replays)
TESTS += $(fuzz_replays)

tests_fuzz_fuzz_config_replay_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/replay.c
tests_fuzz_fuzz_config_replay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"config"' -UNDEBUG
tests_fuzz_fuzz_config_replay_LDADD = src/libconfig.a src/libbase.a $(LIBCONFIG_LIBS)
tests_fuzz_fuzz_handoff_replay_SOURCES = tests/fuzz/fuzz_handoff.c tests/fuzz/replay.c
tests_fuzz_fuzz_handoff_replay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"handoff"' -UNDEBUG
tests_fuzz_fuzz_handoff_replay_LDADD = src/libipc.a src/libbase.a
tests_fuzz_fuzz_line_replay_SOURCES = tests/fuzz/fuzz_line.c tests/fuzz/replay.c
tests_fuzz_fuzz_line_replay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"line"' -UNDEBUG
tests_fuzz_fuzz_line_replay_LDADD = src/libipc.a src/libbase.a

tests_fuzz_fuzz_proxy_replay_SOURCES = tests/fuzz/fuzz_proxy.c tests/fuzz/replay.c
tests_fuzz_fuzz_proxy_replay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"proxy"' -UNDEBUG
tests_fuzz_fuzz_proxy_replay_LDADD = src/libservice.a src/libconfig.a src/libipc.a src/libbase.a

EXTRA_DIST += \
	tests/fuzz/config.dict \
	tests/fuzz/corpus \
	tests/fuzz/handoff.dict \
	tests/fuzz/line.dict \
	tests/fuzz/proxy.dict \
	tests/fuzz/run
