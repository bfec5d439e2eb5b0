# Layer "service": the code that talks to clients. Above: base, ipc, config, systemd.
noinst_LIBRARIES += src/libservice.a
src_libservice_a_SOURCES = \
	src/service/connection.c src/service/connection.h \
	src/service/echo.c \
	src/service/hello.c \
	src/service/registry.c \
	src/service/service.h \
	src/service/services.h
