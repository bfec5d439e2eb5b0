# Layer "http": the server's side of HTTP/1.1. Above: base; knows nothing of gracefuld.
noinst_LIBRARIES += src/libhttp.a
src_libhttp_a_SOURCES = \
	src/http/buffer.c src/http/buffer.h \
	src/http/chars.c src/http/chars.h \
	src/http/chunked.c src/http/chunked.h \
	src/http/connection.c src/http/connection.h \
	src/http/deadline.c src/http/deadline.h \
	src/http/framing.c src/http/framing.h \
	src/http/handoff.c src/http/handoff.h \
	src/http/head.c src/http/head.h \
	src/http/limits.h \
	src/http/output.c src/http/output.h \
	src/http/parser.c src/http/parser.h \
	src/http/reply.c src/http/reply.h \
	src/http/request.c src/http/request.h \
	src/http/server.c src/http/server.h \
	src/http/status.c src/http/status.h \
	src/http/target.c src/http/target.h \
	src/http/turn_queue.c src/http/turn_queue.h
