# Layer "control": the control socket, and what can be asked and ordered there. Above: base, config, http, master.
noinst_LIBRARIES += src/libcontrol.a
src_libcontrol_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
src_libcontrol_a_SOURCES = \
	src/control/access.c src/control/access.h \
	src/control/commands.c src/control/commands.h \
	src/control/control.c src/control/control.h \
	src/control/event_json.c src/control/event_json.h \
	src/control/gate.c src/control/gate.h \
	src/control/json_reply.c src/control/json_reply.h \
	src/control/metrics.c src/control/metrics.h \
	src/control/passage.c src/control/passage.h \
	src/control/status.c src/control/status.h \
	src/control/subscribers.c src/control/subscribers.h \
	src/control/upstreams.c src/control/upstreams.h \
	src/control/waiter.c src/control/waiter.h
