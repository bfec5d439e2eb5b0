# Tests of the layer "http": units, the fuzz target's kept corpus, and a benchmark that is built with them but not run.
http_test_libs = src/libhttp.a src/libbase.a $(LIBEVENT_LIBS)
http_test_ldadd = $(http_test_libs) $(CMOCKA_LIBS)
http_test_cppflags = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
http_fixture = tests/unit/http_fixture.c tests/unit/http_fixture.h tests/unit/stride.h

http_unit_tests = \
	tests/unit/http_chars_test \
	tests/unit/http_framing_test \
	tests/unit/http_handoff_test \
	tests/unit/http_memory_test \
	tests/unit/http_retire_test \
	tests/unit/http_server_test \
	tests/unit/http_turn_queue_test

if ENABLE_TESTS
check_PROGRAMS += $(http_unit_tests)
TESTS += $(http_unit_tests)
endif

tests_unit_http_chars_test_CPPFLAGS = $(http_test_cppflags)
tests_unit_http_chars_test_LDADD = $(http_test_ldadd)
tests_unit_http_framing_test_CPPFLAGS = $(http_test_cppflags)
tests_unit_http_framing_test_LDADD = $(http_test_ldadd)
tests_unit_http_handoff_test_SOURCES = tests/unit/http_handoff_test.c $(http_fixture)
tests_unit_http_handoff_test_CPPFLAGS = $(http_test_cppflags)
tests_unit_http_handoff_test_LDADD = $(http_test_ldadd)
tests_unit_http_memory_test_SOURCES = tests/unit/http_memory_test.c $(http_fixture)
tests_unit_http_memory_test_CPPFLAGS = $(http_test_cppflags)
tests_unit_http_memory_test_LDADD = $(http_test_ldadd)
tests_unit_http_memory_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=mmap
tests_unit_http_retire_test_SOURCES = tests/unit/http_retire_test.c $(http_fixture)
tests_unit_http_retire_test_CPPFLAGS = $(http_test_cppflags)
tests_unit_http_retire_test_LDADD = $(http_test_ldadd)
tests_unit_http_server_test_SOURCES = tests/unit/http_server_test.c $(http_fixture)
tests_unit_http_server_test_CPPFLAGS = $(http_test_cppflags)
tests_unit_http_server_test_LDADD = $(http_test_ldadd)
tests_unit_http_turn_queue_test_CPPFLAGS = $(http_test_cppflags)
tests_unit_http_turn_queue_test_LDADD = $(http_test_ldadd)

check_PROGRAMS += tests/fuzz/fuzz-http-replay
TESTS += tests/fuzz/fuzz-http-replay
tests_fuzz_fuzz_http_replay_SOURCES = tests/fuzz/fuzz_http.c tests/fuzz/replay.c
tests_fuzz_fuzz_http_replay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_NAME='"http"' -UNDEBUG
tests_fuzz_fuzz_http_replay_LDADD = $(http_test_libs)
EXTRA_DIST += tests/fuzz/http.dict

check_PROGRAMS += bench/http_bench
bench_http_bench_SOURCES = bench/http_bench.c
bench_http_bench_LDADD = $(http_test_libs)
