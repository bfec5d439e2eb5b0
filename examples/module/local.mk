# A module. Not built from here: it is built as anybody's would be, by its own Makefile (tests/scenario/test_module.py).
EXTRA_DIST += examples/module/Makefile examples/module/upper.c examples/module/upper.conf
