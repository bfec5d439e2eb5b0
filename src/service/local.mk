# Layer "service": the code that talks to clients. Above: base, ipc, config, systemd, http.
noinst_LIBRARIES += src/libservice.a
src_libservice_a_SOURCES = \
	src/service/connection.c src/service/connection.h \
	src/service/echo.c \
	src/service/exec.c \
	src/service/hello.c \
	src/service/proxy/hash.h src/service/proxy/health.h \
	src/service/proxy/address.c src/service/proxy/address.h \
	src/service/proxy/balance.c src/service/proxy/balance.h \
	src/service/proxy/connect.c src/service/proxy/connect.h \
	src/service/proxy/description.c src/service/proxy/description.h \
	src/service/proxy/dial.c src/service/proxy/dial.h \
	src/service/proxy/flow.c src/service/proxy/flow.h \
	src/service/proxy/handoff.c src/service/proxy/handoff.h \
	src/service/proxy/later.c src/service/proxy/later.h \
	src/service/proxy/options.c src/service/proxy/options.h \
	src/service/proxy/pipes.c src/service/proxy/pipes.h \
	src/service/proxy/probe.c src/service/proxy/probe.h \
	src/service/proxy/proxy.c src/service/proxy/proxy.h \
	src/service/proxy/proxy_protocol.c src/service/proxy/proxy_protocol.h \
	src/service/proxy/relay.c src/service/proxy/relay.h \
	src/service/proxy/relay_state.c src/service/proxy/relay_state.h \
	src/service/proxy/resolve.c src/service/proxy/resolve.h \
	src/service/proxy/upstream.c src/service/proxy/upstream.h \
	src/service/http/accept.c src/service/http/accept.h \
	src/service/http/access_log.c src/service/http/access_log.h \
	src/service/http/beneath.c src/service/http/beneath.h \
	src/service/http/condition.c src/service/http/condition.h \
	src/service/http/date.c src/service/http/date.h \
	src/service/http/exchange.c src/service/http/exchange.h \
	src/service/http/files.c src/service/http/files.h \
	src/service/http/http.c \
	src/service/http/mime.c src/service/http/mime.h \
	src/service/http/multipart.c src/service/http/multipart.h \
	src/service/http/options.c src/service/http/options.h \
	src/service/http/path.c src/service/http/path.h \
	src/service/http/range.c src/service/http/range.h \
	src/service/http/welcome.c src/service/http/welcome.h \
	src/service/module/loader.c src/service/module/loader.h \
	src/service/module/module.c \
	src/service/module/options.c src/service/module/options.h \
	src/service/registry.c \
	src/service/service.c src/service/service.h \
	src/service/services.h
