/*
 * What the daemon itself asks of its reload.
 */
#include "master/wish.h"

#include <stdlib.h>

/* From here on nobody is interested; so the request is free for the next time. */
static void
on_begin(struct reload_request *request)
{
	struct wish *wish = request->arg;

	reload_withdraw(wish->reload, request);
	wish->waits = false;
}

/* It was refused without having begun: the daemon stops. */
static void
on_verdict(struct reload_request *request, const struct outcome *outcome)
{
	struct wish *wish = request->arg;

	(void)outcome;
	wish->waits = false;
}

void
wish_ask(struct wish *wish, struct reload *reload, const struct reload_request *what)
{
	if (wish->waits) {
		if (what->kind == RELOAD_FILE)
			reload_apply_live(reload);
		/* two more is two more, also when the first has to wait */
		if (abs(wish->request.delta + what->delta) <= CONFIG_WORKERS_MAX)
			wish->request.delta += what->delta;
		return;
	}
	wish->waits = true;
	wish->reload = reload;
	wish->request = *what;
	wish->request.on_begin = on_begin;
	wish->request.on_verdict = on_verdict;
	wish->request.arg = wish;
	reload_ask(reload, &wish->request);
}
