/*
 * The addresses to listen on.
 */
#include "config/listen.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#define PORT_DEFAULT 11111

/* The master binds a UNIX socket under a temporary name beside the path; this is what it may add. */
#define TEMPORARY_SUFFIX 16
#define PATH_MAX_LEN     (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 - TEMPORARY_SUFFIX)

#define NAME_MAX_LEN 255 /* of FileDescriptorName=, see sd_listen_fds_with_names(3) */

#define FIELD(name) offsetof(struct config_listen, name)

static const struct option entry_options[] = {
	{ "address", OPTION_STRING, FIELD(address),
		.help = "a numeric IPv4 or IPv6 address; without: all addresses, IPv4 and IPv6" },
	{ "port", OPTION_INTEGER, FIELD(port), .min = 1, .max = 65535, .help = "the TCP port" },
	{ "ipv6_only", OPTION_BOOLEAN, FIELD(ipv6_only), "false",
		.help = "leave out IPv4 where all addresses are served" },
	{ "backlog", OPTION_INTEGER, FIELD(backlog), "4096", 1, 65535,
		.help = "connections that may wait to be accepted; the kernel caps it by net.core.somaxconn" },
	{ "path", OPTION_STRING, FIELD(path), .help = "the absolute path of a UNIX socket" },
	/* as open as a TCP port is */
	{ "mode", OPTION_MODE, FIELD(mode), "0666", .help = "permissions of the UNIX socket" },
	{ "user", OPTION_STRING, FIELD(user),
		.help = "owner of the UNIX socket; without: the daemon's user" },
	{ "group", OPTION_STRING, FIELD(group),
		.help = "group of the UNIX socket; without: the daemon's group" },
	{ "systemd", OPTION_STRING, FIELD(name), .help = "the FileDescriptorName= of a systemd socket unit" },
};

static const struct option_table entry_table = { entry_options, ARRAY_LEN(entry_options) };

/* What one entry may have, by the member that tells its kind. */
static const struct {
	const char *member;
	const char *others[4];
} kinds[] = {
	[CONFIG_LISTEN_TCP] = { "port", { "address", "ipv6_only", "backlog" } },
	[CONFIG_LISTEN_UNIX] = { "path", { "mode", "user", "group", "backlog" } },
	[CONFIG_LISTEN_SYSTEMD] = { "systemd", { NULL } },
};

const struct option_table *
listen_table(void)
{
	return &entry_table;
}

static bool
belongs_to(enum config_listen_kind kind, const char *member)
{
	if (strcmp(kinds[kind].member, member) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(kinds[kind].others); i++)
		if (text_equal(kinds[kind].others[i], member))
			return true;
	return false;
}

static bool
has(const config_setting_t *entry, const char *member)
{
	return config_setting_get_member(entry, member) != NULL;
}

/* 0 with *ret, or -EINVAL and a problem: an entry has just one of port, path and systemd, and what goes with it. */
static int
find_kind(const struct option_reading *reading, const config_setting_t *entry, enum config_listen_kind *ret)
{
	int found = -1;

	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		if (!has(entry, kinds[kind].member))
			continue;
		if (found >= 0) {
			tree_problem(reading->tree, entry, reading->problems,
				"%s: %s and %s exclude each other", reading->prefix, kinds[found].member,
				kinds[kind].member);
			return -EINVAL;
		}
		found = (int)kind;
	}
	if (found < 0) {
		tree_problem(reading->tree, entry, reading->problems,
			"%s: one of port, path and systemd is needed", reading->prefix);
		return -EINVAL;
	}
	*ret = (enum config_listen_kind)found;
	return 0;
}

static void
check_members(
	const struct option_reading *reading, const config_setting_t *entry, enum config_listen_kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(entry_options); i++) {
		const char *name = entry_options[i].name;

		if (has(entry, name) && !belongs_to(kind, name))
			tree_problem(reading->tree, config_setting_get_member(entry, name), reading->problems,
				"%s.%s: does not go together with %s", reading->prefix, name,
				kinds[kind].member);
	}
}

/* Adds a problem with one member of an entry. */
static void
add_problem(const struct option_reading *reading, const config_setting_t *entry, const char *member,
	const char *value, const char *why)
{
	char shown[128];

	text_escape(shown, sizeof(shown), value, strlen(value));
	tree_problem(reading->tree, config_setting_get_member(entry, member), reading->problems,
		"%s.%s: \"%s\" %s", reading->prefix, member, shown, why);
}

/* Why this is none of our addresses. */
static const char *
explain_address(const char *address)
{
	if (strchr(address, '%'))
		return "has a zone; only addresses without are served";
	if (*address == '[')
		return "is no numeric address (leave out the brackets)";
	return "is no numeric IPv4 or IPv6 address";
}

/* Checks the address and brings it into its one usual form, so that equal addresses are equal texts. */
static int
check_address(
	const struct option_reading *reading, const config_setting_t *entry, struct config_listen *listen)
{
	unsigned char binary[sizeof(struct in6_addr)];
	char usual[INET6_ADDRSTRLEN];
	int family = strchr(listen->address, ':') ? AF_INET6 : AF_INET;
	char *copy;

	if (inet_pton(family, listen->address, binary) != 1) {
		add_problem(reading, entry, "address", listen->address, explain_address(listen->address));
		return 0;
	}
	if (family == AF_INET && listen->ipv6_only)
		add_problem(reading, entry, "ipv6_only", listen->address, "is no IPv6 address");
	copy = strdup(inet_ntop(family, binary, usual, sizeof(usual)));
	if (!copy)
		return -ENOMEM;
	free(listen->address);
	listen->address = copy;
	return 0;
}

static void
check_path(const struct option_reading *reading, const config_setting_t *entry,
	const struct config_listen *listen)
{
	const size_t len = strlen(listen->path);
	char why[64];

	if (*listen->path != '/') {
		add_problem(reading, entry, "path", listen->path, "is no absolute path");
	} else if (listen->path[len - 1] == '/') {
		add_problem(reading, entry, "path", listen->path, "is a directory");
	} else if (len > PATH_MAX_LEN) {
		snprintf(why, sizeof(why), "is too long (%zu bytes at most)", PATH_MAX_LEN);
		add_problem(reading, entry, "path", listen->path, why);
	}
}

static void
check_name(const struct option_reading *reading, const config_setting_t *entry,
	const struct config_listen *listen)
{
	const size_t len = strlen(listen->name);

	for (const char *p = listen->name; *p; p++)
		if (*p == ':' || *p < ' ' || *p == 127 || len > NAME_MAX_LEN) {
			add_problem(reading, entry, "systemd", listen->name, "is no FileDescriptorName=");
			return;
		}
}

static char *
address_text(const struct config_listen *listen)
{
	const char *address = listen->address ? listen->address : "::";

	switch (listen->kind) {
	case CONFIG_LISTEN_UNIX:
		return strdup(listen->path ? listen->path : "");
	case CONFIG_LISTEN_SYSTEMD:
		return text_format("systemd:%s", listen->name ? listen->name : "");
	default:
		return text_format(strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, listen->port);
	}
}

char *
config_listen_text(const struct config_listen *listen)
{
	cleanup_free char *address = address_text(listen);

	if (!address || !listen->ipv6_only)
		return take_ptr(address);
	return text_format("%s (IPv6 only)", address);
}

/* All addresses of a family, or of both; or one address. */
struct reach {
	bool all;
	bool v4, v6;
};

static struct reach
reach_of(const struct config_listen *listen)
{
	bool is_v6 = !listen->address || strchr(listen->address, ':');
	bool all = !listen->address || text_equal(listen->address, "::") ||
	           text_equal(listen->address, "0.0.0.0");

	return (struct reach){
		.all = all,
		.v4 = !is_v6 || (all && !listen->ipv6_only),
		.v6 = is_v6,
	};
}

bool
config_listen_covers(const struct config_listen *wide, const struct config_listen *narrow)
{
	struct reach a = reach_of(wide), b = reach_of(narrow);

	if (wide->kind != CONFIG_LISTEN_TCP || narrow->kind != CONFIG_LISTEN_TCP ||
		wide->port != narrow->port)
		return false;
	return a.all && (a.v4 || !b.v4) && (a.v6 || !b.v6);
}

/* One address can be given once, with IPv4 or without. */
static int
check_duplicate(const struct option_reading *reading, const config_setting_t *entry,
	const struct config *config, const struct config_listen *listen)
{
	cleanup_free char *text = address_text(listen);

	for (size_t i = 0; text && i < config->n_listen; i++) {
		const struct config_listen *other = &config->listen[i];
		cleanup_free char *other_text = address_text(other);

		if (!other_text)
			return -ENOMEM;
		if (strcmp(text, other_text) != 0)
			continue;
		tree_problem(reading->tree, entry, reading->problems, "%s: %s is given twice, first at %s:%u",
			reading->prefix, text, other->file, other->line);
		break;
	}
	return text ? 0 : -ENOMEM;
}

/* The values, once each is well by itself. */
static int
check_entry(const struct option_reading *reading, const config_setting_t *entry, const struct config *config,
	struct config_listen *listen)
{
	int r = 0;

	check_members(reading, entry, listen->kind);
	if (listen->kind == CONFIG_LISTEN_TCP && listen->address)
		r = check_address(reading, entry, listen);
	if (listen->kind == CONFIG_LISTEN_UNIX && listen->path)
		check_path(reading, entry, listen);
	if (listen->kind == CONFIG_LISTEN_SYSTEMD && listen->name)
		check_name(reading, entry, listen);
	return r == 0 ? check_duplicate(reading, entry, config, listen) : r;
}

static int
read_members(const struct option_reading *reading, const config_setting_t *entry, const struct config *config,
	struct config_listen *listen)
{
	const size_t before = reading->problems->n;
	int r;

	if (!config_setting_is_group(entry)) {
		tree_problem(reading->tree, entry, reading->problems,
			"%s: must be a group, as { port = %d; }", reading->prefix, PORT_DEFAULT);
		return 0;
	}
	r = option_read(reading, entry, &entry_table, listen);
	if (r < 0)
		return r;
	if (find_kind(reading, entry, &listen->kind) < 0 || reading->problems->n > before)
		return 0;
	return check_entry(reading, entry, config, listen);
}

/* Makes room for `n` entries. */
static int
reserve(struct config *config, size_t n)
{
	config->listen = calloc(n, sizeof(*config->listen));
	return config->listen ? 0 : -ENOMEM;
}

/* Adds an entry with all defaults. */
static int
add_entry(struct config *config, const config_setting_t *setting, struct config_listen **ret)
{
	struct config_listen *listen = *ret = &config->listen[config->n_listen];

	if (setting)
		tree_place(config->tree, setting, &listen->file, &listen->line);
	else
		listen->file = config->path;
	return option_defaults(&entry_table, listen);
}

static int
read_list(struct config *config, const config_setting_t *list, struct problems *problems)
{
	const int n = config_setting_is_list(list) ? config_setting_length(list) : 0;

	if (n == 0 || n > CONFIG_LISTEN_MAX) {
		tree_problem(config->tree, list, problems,
			"listen: must be a list of 1 to %d entries, as ( { port = %d; } )", CONFIG_LISTEN_MAX,
			PORT_DEFAULT);
		return 0;
	}
	if (reserve(config, (size_t)n) < 0)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		const config_setting_t *entry = config_setting_get_elem(list, (unsigned)i);
		cleanup_free char *prefix = text_format("listen[%d]", i);
		const struct option_reading reading = { config->tree, problems, prefix, NULL, false };
		struct config_listen *listen;
		int r = add_entry(config, entry, &listen);

		if (r == 0)
			r = prefix ? read_members(&reading, entry, config, listen) : -ENOMEM;
		config->n_listen++;
		if (r < 0)
			return r;
	}
	return 0;
}

static int
read_port(struct config *config, const config_setting_t *port, struct problems *problems)
{
	const struct option_reading reading = { config->tree, problems, NULL, NULL, false };
	struct config_listen *listen;
	int r = reserve(config, 1);

	if (r == 0)
		r = add_entry(config, port, &listen);
	if (r < 0)
		return r;
	config->n_listen = 1;
	listen->port = PORT_DEFAULT;
	return port ? option_read_one(&reading, port, option_find(&entry_table, "port"), listen) : 0;
}

/* One of them is too much; which, the user must say. */
static int
refuse_both(struct config *config, const config_setting_t *port, const config_setting_t *list,
	struct problems *problems)
{
	const struct option_reading reading = { config->tree, problems, NULL, NULL, false };
	struct config_listen unused = { 0 };
	const char *file;
	unsigned line;

	tree_place(config->tree, port, &file, &line);
	tree_problem(config->tree, list, problems, "listen: port is given too, at %s:%u; give one of them",
		file, line);
	return option_read_one(&reading, port, option_find(&entry_table, "port"), &unused);
}

int
listen_read(struct config *config, struct problems *problems)
{
	const config_setting_t *port = tree_find(config->tree, "port"),
			       *list = tree_find(config->tree, "listen");
	int r = 0;

	if (!list)
		return read_port(config, port, problems);
	if (port)
		r = refuse_both(config, port, list, problems);
	return r == 0 ? read_list(config, list, problems) : r;
}

void
listen_free(struct config *config)
{
	for (size_t i = 0; i < config->n_listen; i++)
		option_free(&entry_table, &config->listen[i]);
	free(config->listen);
}

/* " (backlog 100, mode 0600)": what is not the default. */
static char *
format_details(const struct config_listen *listen)
{
	static const char *const shown[] = { "backlog", "mode", "user", "group" };
	char *details = strdup("");

	for (size_t i = 0; details && i < ARRAY_LEN(shown); i++) {
		const struct option *option = option_find(&entry_table, shown[i]);
		cleanup_free char *value = option_format(option, listen), *before = details;

		details = NULL;
		if (!value)
			break;
		if (strcmp(value, option->fallback ? option->fallback : "(none)") == 0)
			details = take_ptr(before);
		else
			details = text_format("%s%s%s %s", before, *before ? ", " : " (", shown[i], value);
	}
	return details;
}

static char *
format_entry(const struct config_listen *listen)
{
	cleanup_free char *text = config_listen_text(listen), *details = format_details(listen);

	if (!text || !details)
		return NULL;
	return text_format("%s%s%s", text, details, *details ? ")" : "");
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *
listen_format_all(const struct config *config)
{
	char *text[CONFIG_LISTEN_MAX], *all = NULL;
	size_t n = 0;

	while (n < config->n_listen && (text[n] = format_entry(&config->listen[n])))
		n++;
	if (n == config->n_listen) {
		qsort(text, n, sizeof(text[0]), compare_texts);
		all = strdup("");
	}
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *before = all, *one = text[i];

		all = before ? text_format("%s%s%s", before, i > 0 ? ", " : "", one) : NULL;
	}
	return all;
}
