/*
 * The options of the service `proxy`.
 */
#include "service/proxy/options.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "service/proxy/address.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define DAY        (US_PER_SEC * 3600 * 24)
#define YEAR       (366 * DAY)
#define WEIGHT_MAX 1000
#define NAME_LEN   253 /* of a host, in DNS */

#define FIELD(name) offsetof(struct proxy_options, name)

static const struct option_choice methods[] = {
	{ "round-robin", BALANCE_ROUND_ROBIN },
	{ "least-connections", BALANCE_LEAST_CONNECTIONS },
	{ "source", BALANCE_SOURCE },
	{ NULL, 0 },
};

static const struct option options[] = {
	{ "upstreams", OPTION_SPECIAL, .help = "who is connected to" },
	{ "balance", OPTION_CHOICE, FIELD(balance), "round-robin", .choices = methods,
		.help = "which upstream is next" },
	{ "resolver", OPTION_STRING, FIELD(resolver),
		.help = "a name server, as \"192.0.2.53\" or \"192.0.2.53:53\"; without: those of the system" },
	{ "connect_timeout", OPTION_TIME, FIELD(connect_timeout_us), "5s", 10 * US_PER_MS, DAY,
		.help = "how long an upstream may take to accept a connection" },
	{ "connect_retries", OPTION_INTEGER, FIELD(connect_retries), "3", 0, 100,
		.help = "how many other upstreams are tried when one does not accept it" },
	{ "idle_timeout", OPTION_TIME, FIELD(idle_timeout_us), NULL, US_PER_SEC / 10, YEAR,
		.help = "how long a connection may be silent in both directions; without: for ever" },
	{ "drain_removed", OPTION_TIME, FIELD(drain_removed_us), NULL, US_PER_SEC / 10, YEAR,
		.help = "how long connections to an upstream go on that is no longer configured; without: "
			"until they end" },
	{ "health.interval", OPTION_TIME, FIELD(health.interval_us), NULL, US_PER_SEC / 10, DAY,
		.help = "how often each upstream is probed; without: only those that are down, every 2 s" },
	{ "health.timeout", OPTION_TIME, FIELD(health.timeout_us), "2s", 10 * US_PER_MS, DAY,
		.help = "how long it may take to accept a probe" },
	{ "health.rise", OPTION_INTEGER, FIELD(health.rise), "1", 1, 100,
		.help = "so many probes in a row must be accepted before it is up again" },
	{ "health.fall", OPTION_INTEGER, FIELD(health.fall), "3", 1, 100,
		.help = "after so many failures in a row it is down" },
	{ "proxy_protocol.accept", OPTION_BOOLEAN, FIELD(proxy_protocol.accept), "false",
		.help = "clients must begin with a header of the PROXY protocol" },
	{ "proxy_protocol.send", OPTION_INTEGER, FIELD(proxy_protocol.send), NULL, 1, 2,
		.help = "send upstreams a header of the PROXY protocol, of this version" },
};

#undef FIELD
#define FIELD(name) offsetof(struct upstream_options, name)

static const struct option upstream_options[] = {
	{ "address", OPTION_STRING, FIELD(address), .help = "a numeric IPv4 or IPv6 address, or a name" },
	{ "port", OPTION_INTEGER, FIELD(port), .min = 1, .max = 65535, .help = "the TCP port" },
	{ "path", OPTION_STRING, FIELD(path), .help = "the absolute path of a UNIX socket" },
	{ "weight", OPTION_INTEGER, FIELD(weight), "1", 1, WEIGHT_MAX,
		.help = "its share of the connections, relative to the others" },
	{ "backup", OPTION_BOOLEAN, FIELD(backup), "false", .help = "only used when all others are down" },
};

static const struct option_table table = { options, ARRAY_LEN(options) };
static const struct option_table upstream_table = { upstream_options, ARRAY_LEN(upstream_options) };

const struct option_table *
proxy_options_table(void)
{
	return &table;
}

const struct option_table *
proxy_upstream_table(void)
{
	return &upstream_table;
}

/* ---- one upstream ---- */

/* One entry of the list, as it is read and checked. */
struct entry {
	const struct option_reading *reading;
	const config_setting_t *setting;
	struct upstream_options *into;
};

/* What a name in DNS is made of; inet_pton has not taken it, so it must not look like an address either. */
static bool
is_host_name(const char *name)
{
	const size_t len = strlen(name);
	const char *last = strrchr(name, '.');

	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_", *p))
			return false;
	if (len > NAME_LEN || name[0] == '.' || name[0] == '-' || strstr(name, ".."))
		return false;
	last = last ? last + 1 : name;
	return last[strspn(last, "0123456789")] != '\0' || *last == '\0';
}

static void
add_problem(const struct entry *entry, const char *member, const char *value, const char *why)
{
	char shown[128];

	text_escape(shown, sizeof(shown), value, strlen(value));
	tree_problem(entry->reading->tree, config_setting_get_member(entry->setting, member),
		entry->reading->problems, "%s.%s: \"%s\" %s", entry->reading->prefix, member, shown, why);
}

static int
check_tcp(const struct entry *entry)
{
	struct upstream_options *into = entry->into;
	struct address address;
	bool is_v6 = strchr(into->address, ':');

	if (address_parse(&address, into->address, (uint16_t)into->port) < 0 && !is_host_name(into->address))
		add_problem(entry, "address", into->address,
			into->address[0] == '[' ? "is no address (leave out the brackets)"
						: "is neither a numeric address nor a name");
	into->name = text_format(is_v6 ? "[%s]:%u" : "%s:%u", into->address, into->port);
	return into->name ? 0 : -ENOMEM;
}

static int
check_unix(const struct entry *entry)
{
	struct upstream_options *into = entry->into;

	if (into->path[0] != '/')
		add_problem(entry, "path", into->path, "is no absolute path");
	else if (strlen(into->path) > ADDRESS_PATH_MAX)
		add_problem(entry, "path", into->path, "is too long");
	else if (strchr(into->path, ' '))
		add_problem(entry, "path", into->path, "has a blank in it");
	into->name = strdup(into->path);
	return into->name ? 0 : -ENOMEM;
}

/* Either a path, or an address with a port. */
static int
check_kind(const struct entry *entry)
{
	const struct upstream_options *into = entry->into;
	const char *wrong = NULL;

	if (into->path && (into->address || into->port > 0))
		wrong = "path does not go together with address and port";
	else if (!into->path && !into->address)
		wrong = "address or path is needed";
	else if (!into->path && into->port == 0)
		wrong = "port is needed";
	if (wrong) {
		tree_problem(entry->reading->tree, entry->setting, entry->reading->problems, "%s: %s",
			entry->reading->prefix, wrong);
		return 0;
	}
	return into->path ? check_unix(entry) : check_tcp(entry);
}

static int
read_entry(const struct entry *entry)
{
	const size_t before = entry->reading->problems->n;
	int r = option_defaults(&upstream_table, entry->into);

	if (r < 0)
		return r;
	if (!config_setting_is_group(entry->setting)) {
		tree_problem(entry->reading->tree, entry->setting, entry->reading->problems,
			"%s: must be a group, as { address = \"192.0.2.1\"; port = 80; }",
			entry->reading->prefix);
		return 0;
	}
	r = option_read(entry->reading, entry->setting, &upstream_table, entry->into);
	return r < 0 || entry->reading->problems->n > before ? r : check_kind(entry);
}

/* ---- all ---- */

static void
check_duplicate(const struct entry *entry, const struct proxy_options *into)
{
	for (size_t i = 0; entry->into->name && i < into->n_upstreams; i++)
		if (text_equal(into->upstreams[i].name, entry->into->name)) {
			tree_problem(entry->reading->tree, entry->setting, entry->reading->problems,
				"%s: %s is given twice", entry->reading->prefix, entry->into->name);
			return;
		}
}

static int
read_upstreams(struct proxy_options *into, const struct config *config, struct problems *problems)
{
	const config_setting_t *list = tree_find(config->tree, "service.upstreams");
	const int n = list && config_setting_is_list(list) ? config_setting_length(list) : 0;
	int r = 0;

	if (n == 0 || n > BALANCE_PEERS_MAX) {
		config_add_problem(config, "service.upstreams", problems,
			"must be a list of 1 to %d entries, as ( { address = "
			"\"192.0.2.1\"; port = 80; } )",
			BALANCE_PEERS_MAX);
		return 0;
	}
	into->upstreams = calloc((size_t)n, sizeof(*into->upstreams));
	if (!into->upstreams)
		return -ENOMEM;
	for (int i = 0; r == 0 && i < n; i++) {
		cleanup_free char *prefix = text_format("service.upstreams[%d]", i);
		const struct option_reading reading = { config->tree, problems, prefix, NULL, false };
		const struct entry entry = { &reading, config_setting_get_elem(list, (unsigned)i),
			&into->upstreams[i] };

		r = prefix ? read_entry(&entry) : -ENOMEM;
		if (r == 0)
			check_duplicate(&entry, into);
		into->n_upstreams++;
	}
	return r;
}

/* A number has only the limits of the table to be wrong with; this is all that is left. */
static void
check_resolver(const struct proxy_options *into, const struct config *config, struct problems *problems)
{
	cleanup_free char *host = into->resolver ? strdup(into->resolver) : NULL;
	char *port = host && strchr(host, '.') ? strchr(host, ':') : NULL;
	struct address address;
	uint64_t number = 0;

	if (port)
		*port++ = '\0';
	if (!host ||
		(address_parse(&address, host, 0) == 0 && (!port || text_parse_u64(port, &number) == 0) &&
			number <= UINT16_MAX && (!port || number > 0)))
		return;
	config_add_problem(config, "service.resolver", problems,
		"\"%s\" is no numeric address, with or without a port", into->resolver);
}

int
proxy_options_read(struct proxy_options *ret, const struct config *config, struct problems *problems)
{
	int r;

	*ret = (struct proxy_options){ .n_upstreams = 0 };
	r = config_read_service(config, &table, ret, problems);
	if (r < 0)
		return r;
	check_resolver(ret, config, problems);
	return read_upstreams(ret, config, problems);
}

void
proxy_options_done(struct proxy_options *from)
{
	for (size_t i = 0; i < from->n_upstreams; i++) {
		option_free(&upstream_table, &from->upstreams[i]);
		free(from->upstreams[i].name);
	}
	free(from->upstreams);
	option_free(&table, from);
}
