/*
 * The events that the master logs.
 */
#include "master/log_event.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { EVENT_FIELDS_MAX = 9, EVENT_FIELD_SIZE = 320 };

/* MESSAGE_IDs are random, made once with "journalctl --new-id128", and never change. */
static const struct {
	const char *name;
	const char *message_id;
} events[EVENT_COUNT] = {
	[EVENT_DAEMON_STARTED] = { "daemon-started", "874b09f3458548d18591c3df0e9a665b" },
	[EVENT_DAEMON_READY] = { "daemon-ready", "323aecf39eca4ff495c393606d2c1743" },
	[EVENT_DAEMON_FAILED] = { "daemon-failed", "d70cae220b104e11a4ab49aae55d137b" },
	[EVENT_DAEMON_STOPPING] = { "daemon-stopping", "f5d620090ff44bc5bd798f2d99621320" },
	[EVENT_DAEMON_STOPPED] = { "daemon-stopped", "e26dc4679f8a4a45a716ed0010f63c86" },
	[EVENT_RELOAD_STARTED] = { "reload-started", "c3bad7dacf0d4db0b2ee4e272e202c7d" },
	[EVENT_RELOAD_CHANGE] = { "reload-change", "4ce87898f5ce4fd2a4a2d6a4ddfd5d20" },
	[EVENT_RELOAD_PROBLEM] = { "reload-problem", "f3be39bf35514ee4a1c22e7cf783d3c8" },
	[EVENT_RELOAD_APPLIED] = { "reload-applied", "ac443ab3f9804f719a616dc76a1c87c8" },
	[EVENT_RELOAD_UNCHANGED] = { "reload-unchanged", "30ff5a4008d14c39bbc79ec67df3d845" },
	[EVENT_RELOAD_REJECTED] = { "reload-rejected", "e76b7c740ec64899b91869c58b3d98a2" },
	[EVENT_RELOAD_REVERTING] = { "reload-reverting", "a919e5ba8f1640d3b529ed3b025a24a6" },
	[EVENT_RELOAD_REVERTED] = { "reload-reverted", "a5d49265087f4c63a96f7aa644cb494c" },
	[EVENT_WORKER_STATE] = { "worker-state", "08df7007586a4673a96a16001d443fc8" },
	[EVENT_WORKER_DRAINED] = { "worker-drained", "d77f2c8c15ca420585e85ab62522b4f2" },
	[EVENT_WORKER_FAILED] = { "worker-failed", "5b7b170d1a064464a44d58c71f361425" },
	[EVENT_WORKER_PROTOCOL] = { "worker-protocol", "ab7ca17c60cc49b0ac944b40ef4fa181" },
	[EVENT_WORKER_STATUS] = { "worker-status", "1431be4926a94ccdab9ff2cc9aa1558c" },
	[EVENT_WORKER_OUTPUT] = { "worker-output", "fd4f20fc2ec644c0ba29368e91dd9949" },
	[EVENT_SLOT_BACKOFF] = { "slot-backoff", "6b632accfd9747be9569c3973d82ac6f" },
	[EVENT_LISTENER] = { "listener", "99df24350aae43f9ae032d8d31e266f3" },
	[EVENT_REEXEC_ASKED] = { "reexec-asked", "8453ac97084d034deaf8807b2437b0a1" },
	[EVENT_REEXEC_STARTED] = { "reexec-started", "a4cda3962f96d6f489e472b2f83869dd" },
	[EVENT_REEXEC_DONE] = { "reexec-done", "4fcbf398739412a25724626d19360eb6" },
	[EVENT_REEXEC_FAILED] = { "reexec-failed", "a667743ba3ca20c23fe545563f849875" },
	[EVENT_STATUS] = { "status", "6bbaed7da64b4b60b84b0dc5257b37c3" },
};

/* The fields of one record, written one behind the other. */
struct fields {
	const char *field[EVENT_FIELDS_MAX];
	size_t n;
	char text[EVENT_FIELDS_MAX * EVENT_FIELD_SIZE];
};

static void __attribute__((format(printf, 2, 3))) add_field(struct fields *fields, const char *fmt, ...)
{
	char *place = fields->text + fields->n * EVENT_FIELD_SIZE;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(place, EVENT_FIELD_SIZE, fmt, ap);
	va_end(ap);
	fields->field[fields->n++] = place;
}

static void
add_about(struct fields *fields, const struct event_about *about)
{
	if (about->has_slot)
		add_field(fields, "GRACEFULD_SLOT=%u", about->slot);
	if (about->generation > 0)
		add_field(fields, "GRACEFULD_GENERATION=%" PRIu64, about->generation);
	if (about->pid > 0)
		add_field(fields, "GRACEFULD_PID=%d", about->pid);
	if (about->reload > 0)
		add_field(fields, "GRACEFULD_RELOAD=%" PRIu64, about->reload);
	if (about->from)
		add_field(fields, "GRACEFULD_FROM=%s", about->from);
	if (about->to)
		add_field(fields, "GRACEFULD_TO=%s", about->to);
	if (about->reason && *about->reason)
		add_field(fields, "GRACEFULD_REASON=%s", about->reason);
}

static void
set_fields(struct fields *fields, enum log_event event, const struct event_about *about)
{
	fields->n = 0;
	add_field(fields, "GRACEFULD_EVENT=%s", events[event].name);
	add_field(fields, "MESSAGE_ID=%s", events[event].message_id);
	if (about)
		add_about(fields, about);
}

void
log_event(int level, enum log_event event, const struct event_about *about, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	struct fields fields;
	va_list ap;

	if (!log_is_wanted(level))
		return;
	set_fields(&fields, event, about);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_fields(level, fields.field, fields.n, "%s", text);
}

int
log_event_offer(int level, enum log_event event, const struct event_about *about, const char *text)
{
	struct fields fields;

	if (!log_is_wanted(level))
		return 0;
	set_fields(&fields, event, about);
	return log_offer(level, fields.field, fields.n, text);
}
