# Layer "master": the pool of workers, rolls and reloads. Above: base, ipc, config, systemd. No service code.
noinst_LIBRARIES += src/libmaster.a
src_libmaster_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
src_libmaster_a_SOURCES = \
	src/master/candidate.c src/master/candidate.h \
	src/master/checker.c src/master/checker.h \
	src/master/generation.c src/master/generation.h \
	src/master/heirs.c src/master/heirs.h \
	src/master/heritage.c src/master/heritage.h \
	src/master/hosted.c src/master/hosted.h \
	src/master/identity.c src/master/identity.h \
	src/master/inventory.c src/master/inventory.h \
	src/master/listener.c src/master/listener.h \
	src/master/log_event.c src/master/log_event.h \
	src/master/lookout.c src/master/lookout.h \
	src/master/loop.c src/master/loop.h \
	src/master/master.c src/master/master.h \
	src/master/notify_socket.c src/master/notify_socket.h \
	src/master/output.c src/master/output.h \
	src/master/pool.c src/master/pool.h \
	src/master/pool_heritage.c src/master/pool_heritage.h \
	src/master/recycle.c src/master/recycle.h \
	src/master/reexec.c src/master/reexec.h \
	src/master/reload.c src/master/reload.h \
	src/master/report.c src/master/report.h \
	src/master/roll_rule.c src/master/roll_rule.h \
	src/master/selector.c src/master/selector.h \
	src/master/slot.c src/master/slot.h \
	src/master/slot_rule.c src/master/slot_rule.h \
	src/master/spawn.c src/master/spawn.h \
	src/master/upstreams.c src/master/upstreams.h \
	src/master/upstreams_heritage.c src/master/upstreams_heritage.h \
	src/master/stray.c src/master/stray.h \
	src/master/talk.c src/master/talk.h \
	src/master/trial.c src/master/trial.h \
	src/master/unix_socket.c src/master/unix_socket.h \
	src/master/wish.c src/master/wish.h \
	src/master/worker.c src/master/worker.h \
	src/master/worker_heritage.c \
	src/master/worker_orders.c src/master/worker_orders.h \
	src/master/worker_start.c \
	src/master/worker_state.c src/master/worker_state.h \
	src/master/worker_step.h \
	src/master/worker_watch.c src/master/worker_watch.h \
	src/master/worker_words.c src/master/worker_words.h
