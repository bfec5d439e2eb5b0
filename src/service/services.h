/*
 * The built-in services, one file each. Only registry.c needs to know them by name.
 */
#ifndef SERVICE_SERVICES_H
#define SERVICE_SERVICES_H

#include "service/service.h"

const struct service_ops *service_hello(void);  /* hello.c */
const struct service_ops *service_echo(void);   /* echo.c */
const struct service_ops *service_http(void);   /* http/http.c */
const struct service_ops *service_proxy(void);  /* proxy/proxy.c */
const struct service_ops *service_module(void); /* module/module.c */
const struct service_ops *service_exec(void);   /* exec.c */

#endif
