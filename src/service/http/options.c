/*
 * The options of the service `http`.
 */
#include "service/http/options.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "service/http/files.h"

#include <errno.h>
#include <string.h>

#define DAY   (US_PER_SEC * 3600 * 24)
#define TENTH (US_PER_SEC / 10)
#define KIB   UINT64_C(1024)

/* A body is of no use to what this service does, is kept in memory whole, and handed over so. */
#define BODY_MAX (8 * KIB * KIB)

#define FIELD(name) offsetof(struct http_options, name)

static const struct option options[] = {
	{ "root", OPTION_STRING, FIELD(root),
		.help = "the folder whose files are served; without: a page that says hello world" },
	{ "index", OPTION_STRING, FIELD(index), "index.html",
		.help = "the file that is sent for the folder that it is in" },
	{ "access_log", OPTION_BOOLEAN, FIELD(access_log), "false",
		.help = "log each request, as a line of JSON" },
	{ "header_timeout", OPTION_TIME, FIELD(header_timeout_us), "30s", TENTH, DAY,
		.help = "how long a client may take to send the head of a request" },
	{ "body_timeout", OPTION_TIME, FIELD(body_timeout_us), "30s", TENTH, DAY,
		.help = "... and the body" },
	{ "send_timeout", OPTION_TIME, FIELD(send_timeout_us), "30s", TENTH, DAY,
		.help = "how long a client may take none of the reply" },
	{ "idle_timeout", OPTION_TIME, FIELD(idle_timeout_us), "75s", TENTH, DAY,
		.help = "how long a connection may be without a request" },
	{ "idle_grace", OPTION_TIME, FIELD(idle_grace_us), "1s", 10 * US_PER_MS, DAY,
		.help = "the same for one that can't be handed over to another worker" },
	{ "keepalive_requests", OPTION_INTEGER, FIELD(keepalive_requests), NULL, 1, UINT32_MAX,
		.help = "requests on one connection; without: any number" },
	{ "max_header", OPTION_SIZE, FIELD(max_header), "8KiB", KIB, HTTP_HEAD_MAX,
		.help = "the largest head of a request" },
	{ "max_body", OPTION_SIZE, FIELD(max_body), "64KiB", 0, BODY_MAX,
		.help = "the largest body of a request" },
};

const struct option_table *
http_options_table(void)
{
	static const struct option_table table = { options, ARRAY_LEN(options) };

	return &table;
}

int
http_options_read(struct http_options *into, const struct config *config, struct problems *problems)
{
	*into = (struct http_options){ .root = NULL };
	return config_read_service(config, http_options_table(), into, problems);
}

void
http_options_done(struct http_options *into)
{
	option_free(http_options_table(), into);
}

static void
check_root(const struct config *config, const char *root, struct problems *problems)
{
	int fd;

	if (root[0] != '/') {
		config_add_problem(config, "service.root", problems, "\"%s\" is no absolute path", root);
		return;
	}
	fd = files_open_root(root);
	if (fd < 0)
		config_add_problem(config, "service.root", problems, "%s: %s", root, strerror(-fd));
	else
		close(fd);
}

void
http_options_check(const struct config *config, struct problems *problems)
{
	struct http_options into;

	if (http_options_read(&into, config, problems) < 0)
		config_add_problem(config, "service", problems, "out of memory");
	if (into.root)
		check_root(config, into.root, problems);
	if (into.index && (strchr(into.index, '/') || into.index[0] == '.'))
		config_add_problem(config, "service.index", problems,
			"\"%s\" is no name of a file that can be served", into.index);
	if (into.index && strlen(into.index) > FILES_INDEX_MAX)
		config_add_problem(config, "service.index", problems, "is too long");
	http_options_done(&into);
}

void
http_options_limits(const struct http_options *from, struct http_limits *ret)
{
	http_limits_init(ret);
	ret->max_head = (size_t)from->max_header;
	if (ret->max_target > ret->max_head)
		ret->max_target = ret->max_head;
	ret->max_body = (size_t)from->max_body;
	ret->max_requests = from->keepalive_requests;
	ret->head_us = from->header_timeout_us;
	ret->body_us = from->body_timeout_us;
	ret->idle_us = from->idle_timeout_us;
	ret->send_us = from->send_timeout_us;
	ret->grace_us = from->idle_grace_us;
}
