/*
 * What the daemon counts, as text for Prometheus. Counters never go back, whatever becomes of workers, slots and reloads.
 *
 * The samples are the same in both formats. The family of a counter is named without "_total" in OpenMetrics, which knows types of its
 * own and an end too.
 */
#include "config.h"

#include "control/metrics.h"

#include "base/clock.h"
#include "control/json_reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A page under way. */
struct page {
	FILE *f;
	enum metrics_format format;
};

/* A family of samples, which are named gracefuld_NAME and SUFFIX. */
static void
describe(const struct page *page, const char *name, const char *suffix, const char *type, const char *help)
{
	if (page->format == METRICS_OPENMETRICS)
		suffix = "";
	fprintf(page->f, "# HELP gracefuld_%s%s %s\n# TYPE gracefuld_%s%s %s\n", name, suffix, help, name,
		suffix, type);
}

static void
describe_counter(const struct page *page, const char *name, const char *help)
{
	describe(page, name, "_total", "counter", help);
}

static void
write_gauge(const struct page *page, const char *name, const char *help, double value)
{
	describe(page, name, "", "gauge", help);
	fprintf(page->f, "gracefuld_%s %.15g\n", name, value);
}

static void
write_counter(const struct page *page, const char *name, const char *help, uint64_t value)
{
	describe_counter(page, name, help);
	fprintf(page->f, "gracefuld_%s_total %" PRIu64 "\n", name, value);
}

/* The counters of the workers' pages, under the names that operators know them by. */
static void
write_totals(const struct page *page, const struct pool *pool)
{
	static const struct {
		enum counter counter;
		const char *name, *help;
	} rows[] = {
		{ COUNTER_ACCEPTED, "connections", "Connections accepted." },
		{ COUNTER_REQUESTS, "requests", "Requests, as the service counts them." },
		{ COUNTER_FINISHED, "connections_finished", "Connections that came to their own end." },
		{ COUNTER_CUT, "connections_cut", "Connections closed by force, by a deadline or a stop." },
		{ COUNTER_LOST, "requests_lost", "Requests under way on connections closed by force." },
		{ COUNTER_HANDED_OUT, "connections_handed_over", "Connections that went to another worker." },
		{ COUNTER_RECEIVED, "received_bytes", "Bytes from clients." },
		{ COUNTER_SENT, "sent_bytes", "Bytes to clients." },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		write_counter(page, rows[i].name, rows[i].help, pool_total(pool, rows[i].counter));
	write_counter(page, "connections_lost", "Connections that died with their worker.", pool->losses);
	describe_counter(page, "accepts", "Connections accepted, by slot.");
	for (unsigned i = 0; i < pool->n_accepted; i++)
		fprintf(page->f, "gracefuld_accepts_total{slot=\"%u\"} %" PRIu64 "\n", i,
			pool_accepted(pool, i));
}

static void
write_workers(const struct page *page, const struct pool *pool)
{
	unsigned count[WORKER_STATES] = { 0 };

	for (unsigned i = 0; i < pool->n_slots; i++) {
		if (pool->slot[i]->incumbent)
			count[pool->slot[i]->incumbent->state]++;
		if (pool->slot[i]->successor)
			count[pool->slot[i]->successor->state]++;
	}
	describe(page, "workers", "", "gauge", "Workers, by state.");
	for (enum worker_state s = 0; s < WORKER_EXITED; s++)
		fprintf(page->f, "gracefuld_workers{state=\"%s\"} %u\n", worker_state_name(s), count[s]);
	write_gauge(page, "workers_wanted", "Workers that the configuration asks for.",
		pool->running ? pool->running->config->workers : 0);
	write_gauge(page, "connections_open", "Connections open now.", (double)pool_count(pool).connections);
	describe_counter(page, "worker_exits", "Workers that have gone, by how they went.");
	for (enum worker_end end = 0; end < WORKER_ENDS; end++)
		fprintf(page->f, "gracefuld_worker_exits_total{reason=\"%s\"} %" PRIu64 "\n",
			worker_end_name(end), pool->exits[end]);
}

/* One family of the upstreams' samples. */
struct upstream_family {
	FILE *f;
	const char *name; /* with its suffix */
	enum upstream_counter counter;
};

/* A pool_upstream_fn */
static void
write_upstream(const struct upstream_sum *sum, void *arg)
{
	const struct upstream_family *family = arg;
	uint64_t value = sum->counter[family->counter];
	json_t *text = json_text(sum->record->name); /* what is no UTF-8 would spoil the whole page */

	if (family->counter == UPSTREAM_STATE)
		value = sum->in_state[UPSTREAM_STATE_UP] > 0;
	/* (a name has neither quotes nor backslashes, but a path may) */
	fprintf(family->f, "gracefuld_%s{upstream=\"", family->name);
	for (const char *p = text ? json_string_value(text) : ""; *p; p++)
		fprintf(family->f, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
	fprintf(family->f, "\"} %" PRIu64 "\n", value);
	json_decref(text);
}

/* Of the service proxy. */
static void
write_upstreams(const struct page *page, const struct pool *pool)
{
	static const struct {
		enum upstream_counter counter;
		const char *name, *suffix, *help;
	} rows[] = {
		{ UPSTREAM_STATE, "upstream_up", "", "Whether a worker finds it up and may connect to it." },
		{ UPSTREAM_CONNECTIONS, "upstream_connections_open", "", "Connections to it, now." },
		{ UPSTREAM_ACCEPTED, "upstream_connections", "_total", "Connections that it has accepted." },
		{ UPSTREAM_FAILURES, "upstream_failures", "_total", "Connections that it has not accepted." },
		{ UPSTREAM_RECEIVED, "upstream_received_bytes", "_total", "Bytes from it." },
		{ UPSTREAM_SENT, "upstream_sent_bytes", "_total", "Bytes to it." },
	};

	for (size_t i = 0; pool->upstreams.n > 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[64];
		struct upstream_family family = { page->f, name, rows[i].counter };

		snprintf(name, sizeof(name), "%s%s", rows[i].name, rows[i].suffix);
		describe(page, rows[i].name, rows[i].suffix, *rows[i].suffix ? "counter" : "gauge",
			rows[i].help);
		pool_each_upstream(pool, write_upstream, &family);
	}
}

static double
seconds(uint64_t us)
{
	return (double)us / (double)US_PER_SEC;
}

static void
write_reloads(const struct page *page, const struct report *report, const struct reload *reload)
{
	const struct generation *running = report->pool->running;
	enum verdict last = report->last_reload->verdict;

	describe_counter(page, "reloads", "Reloads, by verdict.");
	for (enum verdict v = VERDICT_APPLIED; v <= VERDICT_REVERTED; v++)
		fprintf(page->f, "gracefuld_reloads_total{verdict=\"%s\"} %" PRIu64 "\n", verdict_name(v),
			reload->verdicts[v]);
	write_gauge(page, "config_last_reload_successful",
		"Whether the last reload was applied, or found nothing to do.",
		last != VERDICT_REJECTED && last != VERDICT_REVERTED);
	write_gauge(page, "config_last_reload_success_timestamp_seconds",
		"When the running configuration was loaded.", running ? seconds(running->loaded_wall_us) : 0);
	write_gauge(page, "generation", "The number of the running configuration.",
		running ? (double)running->number : 0);
}

enum metrics_format
metrics_format(const struct http_text *accept)
{
	struct http_text list = accept ? *accept : (struct http_text){ 0 }, range;

	while (http_text_next(&list, &range)) {
		const char *parameters = memchr(range.at, ';', range.len);
		size_t len = parameters ? (size_t)(parameters - range.at) : range.len;
		struct http_text type = http_text_trim((struct http_text){ range.at, len });

		if (http_text_equal_nocase(type, HTTP_TEXT("application/openmetrics-text")))
			return METRICS_OPENMETRICS;
	}
	return METRICS_TEXT;
}

struct http_text
metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
	               ? HTTP_TEXT("application/openmetrics-text; version=1.0.0; charset=utf-8")
	               : HTTP_TEXT("text/plain; version=0.0.4; charset=utf-8");
}

char *
metrics_text(
	enum metrics_format format, const struct report *report, const struct reload *reload, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);
	const struct page page = { f, format };

	if (!f)
		return NULL;
	describe(&page, "build", "_info", format == METRICS_OPENMETRICS ? "info" : "gauge", "The program.");
	fprintf(f, "gracefuld_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	write_gauge(&page, "start_timestamp_seconds", "When the daemon was started.",
		seconds(report->started_wall_us));
	write_workers(&page, report->pool);
	write_totals(&page, report->pool);
	write_upstreams(&page, report->pool);
	write_reloads(&page, report, reload);
	if (format == METRICS_OPENMETRICS)
		fputs("# EOF\n", f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
