/*
 * What systemd is told.
 */
#include "systemd/notify.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

void
notify_status(const char *text)
{
	static char last[256];

	if (strncmp(last, text, sizeof(last) - 1) == 0)
		return;
	snprintf(last, sizeof(last), "%s", text);
	sd_notifyf(0, "STATUS=%s", last);
}

void
notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void
notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_us());
}

void
notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void
notify_extend_timeout(uint64_t us)
{
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, us);
}

void
notify_errno(int error)
{
	sd_notifyf(0, "ERRNO=%d", error);
}

void
notify_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

uint64_t
notify_watchdog_interval_us(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}
