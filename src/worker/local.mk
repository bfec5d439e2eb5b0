# Layer "worker": one process that runs one service. Above: base, ipc, config, systemd, service. Knows nothing of the master.
noinst_LIBRARIES += src/libworker.a
src_libworker_a_SOURCES = \
	src/worker/acceptor.c src/worker/acceptor.h \
	src/worker/channel.c src/worker/channel.h \
	src/worker/control_pipe.c src/worker/control_pipe.h \
	src/worker/episode.c src/worker/episode.h \
	src/worker/handover.c src/worker/handover.h \
	src/worker/inbox.c src/worker/inbox.h \
	src/worker/inheritance.c src/worker/inheritance.h \
	src/worker/lookout.c src/worker/lookout.h \
	src/worker/outbox.c src/worker/outbox.h \
	src/worker/rush.c src/worker/rush.h \
	src/worker/sandbox.c src/worker/sandbox.h \
	src/worker/settings.c src/worker/settings.h \
	src/worker/status_pipe.c src/worker/status_pipe.h \
	src/worker/worker.c src/worker/worker.h
