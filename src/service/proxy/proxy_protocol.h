/*
 * The PROXY protocol, versions 1 and 2: what a proxy says about its client at the beginning of a connection
 * (haproxy.org, proxy-protocol.txt). Pure.
 */
#ifndef SERVICE_PROXY_PROXY_PROTOCOL_H
#define SERVICE_PROXY_PROXY_PROTOCOL_H

#include "service/proxy/address.h"

#include <stddef.h>
#include <sys/types.h>

/* Longer ones, with more additions than anybody sends, are refused. */
#define PROXY_PROTOCOL_READ_MAX 4096
/* What is written is never longer. */
#define PROXY_PROTOCOL_WRITE_MAX 232

/* Who the client is, and where it connected to. Without addresses (len 0) nobody knows. */
struct proxy_header {
	struct address source, destination; /* of one family; both or none */
};

/*
 * Reads the header at the beginning of `data`. Its length, with *ret; 0: it is not complete yet; -EBADMSG: it is none, or not by the letter
 * of the protocol.
 */
ssize_t proxy_protocol_read(struct proxy_header *ret, const void *data, size_t len);

/* Writes a header of that version, 1 or 2. Its length. */
size_t proxy_protocol_write(
	unsigned version, const struct proxy_header *header, unsigned char buf[PROXY_PROTOCOL_WRITE_MAX]);

#endif
