# Layer "service": the code that talks to clients. Above: base, ipc, config, systemd, http.
noinst_LIBRARIES += src/libservice.a
src_libservice_a_SOURCES = \
	src/service/connection.c src/service/connection.h \
	src/service/echo.c \
	src/service/exec.c \
	src/service/hello.c \
	src/service/http/accept.c src/service/http/accept.h \
	src/service/http/access_log.c src/service/http/access_log.h \
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
	src/service/registry.c \
	src/service/service.c src/service/service.h \
	src/service/services.h
