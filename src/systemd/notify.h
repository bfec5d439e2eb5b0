/*
 * What systemd is told, sd_notify(3). Nothing happens where no systemd listens.
 */
#ifndef SYSTEMD_NOTIFY_H
#define SYSTEMD_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Does anybody listen? Else what is to be told need not be made up. */
bool notify_is_heard(void);

/* One text for "systemctl status". Sent only when it differs from the last. */
void notify_status(const char *text);

/* The daemon serves: after its start and at the end of every reload, however that went. */
void notify_ready(void);

/*
 * A reload begins. notify_ready must follow on every path, else "systemctl reload" hangs until its time is
 * over.
 */
void notify_reloading(void);

void notify_stopping(void);

/* The stop takes this long yet, at most. */
void notify_extend_timeout(uint64_t us);

/* The start failed, with this errno. */
void notify_errno(int error);

/* Alive. */
void notify_watchdog(void);

/* How often notify_watchdog must come: WatchdogSec=; 0 when systemd does not watch us. */
uint64_t notify_watchdog_interval_us(void);

#endif
