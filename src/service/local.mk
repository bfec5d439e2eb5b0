# Layer "service": the code that talks to clients. Above: base, ipc, config, systemd.
noinst_LIBRARIES += src/libservice.a
src_libservice_a_SOURCES = \
	src/service/connection.c src/service/connection.h \
	src/service/echo.c \
	src/service/hello.c \
	src/service/proxy/hash.h src/service/proxy/health.h \
	src/service/proxy/address.c src/service/proxy/address.h \
	src/service/proxy/balance.c src/service/proxy/balance.h \
	src/service/proxy/connect.c src/service/proxy/connect.h \
	src/service/proxy/description.c src/service/proxy/description.h \
	src/service/proxy/dial.c src/service/proxy/dial.h \
	src/service/proxy/flow.c src/service/proxy/flow.h \
	src/service/proxy/handoff.c src/service/proxy/handoff.h \
	src/service/proxy/options.c src/service/proxy/options.h \
	src/service/proxy/pipes.c src/service/proxy/pipes.h \
	src/service/proxy/probe.c src/service/proxy/probe.h \
	src/service/proxy/proxy.c \
	src/service/proxy/proxy_protocol.c src/service/proxy/proxy_protocol.h \
	src/service/proxy/relay.c src/service/proxy/relay.h \
	src/service/proxy/relay_state.c src/service/proxy/relay_state.h \
	src/service/proxy/resolve.c src/service/proxy/resolve.h \
	src/service/proxy/upstream.c src/service/proxy/upstream.h \
	src/service/registry.c \
	src/service/service.h \
	src/service/services.h
