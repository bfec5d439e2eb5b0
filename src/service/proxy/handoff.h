/*
 * Relayed connections that move to another worker: the handoff part of struct service_ops.
 */
#ifndef SERVICE_PROXY_HANDOFF_H
#define SERVICE_PROXY_HANDOFF_H

#include "service/service.h"

int proxy_freeze(struct service_connection *connection, struct handoff_writer *writer);
void proxy_thaw(struct service_connection *connection);
void proxy_forget(struct service_connection *connection);
int proxy_adopt(void *service, struct handoff_record *record, struct service_connection **ret);

#endif
