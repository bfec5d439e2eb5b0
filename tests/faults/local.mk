# Calls that fail. The library stands between the programs and their C library, so it has none of the flags that the programs have: a
# sanitizer or a fortified header would be called instead of what it is to replace.
if ENABLE_TESTS
check_PROGRAMS += tests/faults/inject.so
tests_faults_inject_so_SOURCES = tests/faults/inject.c
tests_faults_inject_so_CFLAGS = $(STD_CFLAGS) $(WARN_CFLAGS) -fPIC -fno-builtin -fexceptions -U_FORTIFY_SOURCE
tests_faults_inject_so_LDFLAGS = -shared
endif

EXTRA_DIST += \
	tests/faults/conftest.py \
	tests/faults/faults.py \
	tests/faults/run
