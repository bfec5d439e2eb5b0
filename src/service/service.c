/*
 * What all services have in common.
 */
#include "service/service.h"

#include <sys/socket.h>
#include <unistd.h>

void
service_hang_up(const struct service_connection *connection, int fd)
{
	if (connection->lent)
		shutdown(fd, SHUT_RDWR);
}

void
service_close(const struct service_connection *connection, int fd)
{
	service_hang_up(connection, fd);
	close(fd);
}
