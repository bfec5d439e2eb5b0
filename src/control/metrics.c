/*
 * What the daemon counts, as OpenMetrics text. Counters never go back, whatever becomes of workers, slots and reloads.
 */
#include "config.h"

#include "control/metrics.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void
describe(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP gracefuld_%s %s\n# TYPE gracefuld_%s %s\n", name, help, name, type);
}

static void
write_gauge(FILE *f, const char *name, const char *help, double value)
{
	describe(f, name, "gauge", help);
	fprintf(f, "gracefuld_%s %.15g\n", name, value);
}

static void
write_counter(FILE *f, const char *name, const char *help, uint64_t value)
{
	describe(f, name, "counter", help);
	fprintf(f, "gracefuld_%s_total %" PRIu64 "\n", name, value);
}

/* The counters of the workers' pages, under the names that operators know them by. */
static void
write_totals(FILE *f, const struct pool *pool)
{
	static const struct {
		enum counter counter;
		const char *name, *help;
	} rows[] = {
		{ COUNTER_ACCEPTED, "connections", "Connections accepted." },
		{ COUNTER_REQUESTS, "requests", "Requests, as the service counts them." },
		{ COUNTER_FINISHED, "connections_finished", "Connections that came to their own end." },
		{ COUNTER_CUT, "connections_cut", "Connections closed by force, by a deadline or a stop." },
		{ COUNTER_HANDED_OUT, "connections_handed_over", "Connections that went to another worker." },
		{ COUNTER_RECEIVED, "received_bytes", "Bytes from clients." },
		{ COUNTER_SENT, "sent_bytes", "Bytes to clients." },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		write_counter(f, rows[i].name, rows[i].help, pool_total(pool, rows[i].counter));
	write_counter(f, "connections_lost", "Connections that died with their worker.", pool->losses);
	describe(f, "accepts", "counter", "Connections accepted, by slot.");
	for (unsigned i = 0; i < pool->n_accepted; i++)
		fprintf(f, "gracefuld_accepts_total{slot=\"%u\"} %" PRIu64 "\n", i, pool_accepted(pool, i));
}

static void
write_workers(FILE *f, const struct pool *pool)
{
	unsigned count[WORKER_STATES] = { 0 };

	for (unsigned i = 0; i < pool->n_slots; i++) {
		if (pool->slot[i]->incumbent)
			count[pool->slot[i]->incumbent->state]++;
		if (pool->slot[i]->successor)
			count[pool->slot[i]->successor->state]++;
	}
	describe(f, "workers", "gauge", "Workers, by state.");
	for (enum worker_state s = 0; s < WORKER_EXITED; s++)
		fprintf(f, "gracefuld_workers{state=\"%s\"} %u\n", worker_state_name(s), count[s]);
	write_gauge(f, "workers_wanted", "Workers that the configuration asks for.",
		pool->running ? pool->running->config->workers : 0);
	write_gauge(f, "connections_open", "Connections open now.", (double)pool_count(pool).connections);
	describe(f, "worker_exits", "counter", "Workers that have gone, by how they went.");
	for (enum worker_end end = 0; end < WORKER_ENDS; end++)
		fprintf(f, "gracefuld_worker_exits_total{reason=\"%s\"} %" PRIu64 "\n", worker_end_name(end),
			pool->exits[end]);
}

/* The wall clock's time of an instant on the monotonic clock. */
static double
wall_time(uint64_t us)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
	       (double)(clock_now_us() - us) / (double)US_PER_SEC;
}

static void
write_reloads(FILE *f, const struct report *report, const struct reload *reload)
{
	const struct generation *running = report->pool->running;
	enum verdict last = report->last_reload->verdict;

	describe(f, "reloads", "counter", "Reloads, by verdict.");
	for (enum verdict v = VERDICT_APPLIED; v <= VERDICT_REVERTED; v++)
		fprintf(f, "gracefuld_reloads_total{verdict=\"%s\"} %" PRIu64 "\n", verdict_name(v),
			reload->verdicts[v]);
	write_gauge(f, "config_last_reload_successful",
		"Whether the last reload was applied, or found nothing to do.",
		last != VERDICT_REJECTED && last != VERDICT_REVERTED);
	write_gauge(f, "config_last_reload_success_timestamp_seconds",
		"When the running configuration was loaded.", running ? wall_time(running->loaded_us) : 0);
	write_gauge(f, "generation", "The number of the running configuration.",
		running ? (double)running->number : 0);
}

char *
metrics_text(const struct report *report, const struct reload *reload, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	if (!f)
		return NULL;
	describe(f, "build", "info", "The program.");
	fprintf(f, "gracefuld_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	write_gauge(
		f, "start_timestamp_seconds", "When the daemon was started.", wall_time(report->started_us));
	write_workers(f, report->pool);
	write_totals(f, report->pool);
	write_reloads(f, report, reload);
	fputs("# EOF\n", f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
