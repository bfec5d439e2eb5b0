# Layer "ipc": what master and workers say to each other, and how. Above: base.
noinst_LIBRARIES += src/libipc.a
src_libipc_a_SOURCES = \
	src/ipc/contract.h \
	src/ipc/counters.c src/ipc/counters.h \
	src/ipc/handoff_read.c src/ipc/handoff_write.c src/ipc/handoff.h src/ipc/handoff_layout.h \
	src/ipc/line_reader.c src/ipc/line_reader.h \
	src/ipc/message.c src/ipc/message.h
