/*
 * A configuration: what the text says, checked, with every default filled in. It never changes once it is loaded.
 *
 * All options are rows of one table (in config.c); loading, checking, comparing and documenting follow from it.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "config/problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONFIG_SIZE_MAX    (1024 * 1024)         /* bytes of the file with all that it includes */
#define CONFIG_TEXT_MAX    (2 * CONFIG_SIZE_MAX) /* the same with line markers: bytes of config->text */
#define CONFIG_WORKERS_MAX 1024
#define CONFIG_LISTEN_MAX  64

enum config_listen_kind {
	CONFIG_LISTEN_TCP,
	CONFIG_LISTEN_UNIX,
	CONFIG_LISTEN_SYSTEMD,
};

/* One entry of `listen`. Unused strings are NULL. */
struct config_listen {
	enum config_listen_kind kind;
	char *address;    /* tcp: numeric IPv4 or IPv6, no brackets; NULL: all of both families */
	unsigned port;    /* tcp: 1–65535 */
	bool ipv6_only;   /* tcp, on an IPv6 address */
	unsigned backlog; /* tcp and unix: of listen(2) */
	char *path;       /* unix: absolute, fits sun_path */
	mode_t mode;      /* unix */
	char *user;       /* unix: owner by name, NULL: as created */
	char *group;
	char *name;       /* systemd: FileDescriptorName= of the socket unit */
	const char *file; /* where it was said, for errors when it is bound; lives as long as the config */
	unsigned line;
};

enum config_on_failure {
	CONFIG_ON_FAILURE_REVERT,
	CONFIG_ON_FAILURE_KEEP,
};

enum config_log_target {
	CONFIG_LOG_AUTO, /* the journal when it is there, else stderr */
	CONFIG_LOG_JOURNAL,
	CONFIG_LOG_STDERR,
};

enum config_sandbox {
	CONFIG_SANDBOX_AUTO, /* of our own services, where the kernel can */
	CONFIG_SANDBOX_ALWAYS,
	CONFIG_SANDBOX_NEVER,
};

struct config {
	char *path; /* of the file that was loaded, also when it came as text; "-" for text that was in no file */
	char *text; /* the whole text, includes expanded, with line markers: config_load_text understands it */
	size_t text_len;

	unsigned workers;             /* "auto" has been resolved */
	struct config_listen *listen; /* `port` has become an entry here */
	size_t n_listen;
	uint64_t drain_timeout_us;
	char *service_type;
	char *user, *group; /* of the workers; NULL: not said */
	struct {
		unsigned parallel;
		uint64_t ready_timeout_us;
		uint64_t settle_us;
		int on_failure; /* enum config_on_failure */
		bool handoff;
	} roll;
	struct {
		uint64_t delay_us;
		uint64_t max_delay_us;
		uint64_t stable_us;
	} restart;
	struct { /* a worker is replaced when it has reached one of these; 0: never */
		uint64_t age_us;
		unsigned requests;
		uint64_t memory; /* bytes, resident */
		unsigned jitter; /* percent: by so much less than that, by chance */
	} recycle;
	uint64_t hang_timeout_us; /* 0: none */
	uint64_t lame_duck_us;    /* how long a stop goes on accepting first */
	struct {
		unsigned connections; /* per worker; 0: no limit */
		unsigned open_files;  /* per worker; 0: as inherited */
	} limits;
	int sandbox; /* enum config_sandbox */
	struct {
		char *path; /* NULL: the default one */
		mode_t mode;
		char *group; /* NULL: none */
	} control;
	char *metrics; /* "127.0.0.1:9125"; NULL: none */
	struct {
		int level;  /* LOG_ERR … LOG_DEBUG */
		int target; /* enum config_log_target */
	} log;

	struct config_tree *tree; /* what was read, for the service's own options and for config_diff */
};

/*
 * Loads a file: reads it, expands @include (globs too), parses, checks. Refuses what is no regular file, what is larger than
 * CONFIG_SIZE_MAX, and what somebody else than root and this process's user could have written. Never blocks on a FIFO or device.
 * 0 with *ret; or -EINVAL with everything that is wrong in `problems`; or another negative errno (-ENOMEM), also said in `problems`.
 */
int config_load_file(const char *path, struct config **ret, struct problems *problems);

/* The same, for somebody who will not run it: the limits of this process (RLIMIT_NOFILE) don't matter. */
int config_look_at_file(const char *path, struct config **ret, struct problems *problems);

/*
 * The same from the text of a config: the worker's side of the sealed memfd. Line markers give the places, no file is touched, and the
 * limits of this process (RLIMIT_NOFILE) don't matter.
 */
int config_load_text(const char *text, size_t len, struct config **ret, struct problems *problems);

/* NULL is fine. */
void config_free(struct config *config);

/* Would its file, with all that it includes, read otherwise today? Also when it can't be read. */
bool config_differs_on_disk(const struct config *config);

/*
 * Adds a problem with an option ("user", "service.type") that the one who uses it has found, sorted in by its place; or by the place of its
 * group, or of the whole, when it was not given.
 */
void config_add_problem(const struct config *config, const char *name, struct problems *problems,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/*
 * Reads the members of `service`, but for its type, by the table of that service (option.h) into a struct of its own: defaults first,
 * then what was said; adds to `problems` what is wrong. 0 (problems or not), or -ENOMEM; option_free is due in both cases.
 */
struct option_table;
int config_read_service(
	const struct config *config, const struct option_table *table, void *into, struct problems *problems);

/* The table of all options but those of services; `listen` has another for its entries (listen.h). */
const struct option_table *config_options(void);

/* How a changed option comes into effect. */
enum config_effect {
	CONFIG_EFFECT_ROLL, /* by workers of a new generation */
	CONFIG_EFFECT_LIVE, /* at once */
};

/* Takes one changed option: its full name, and old and new value as one would write them ("(none)" for none). */
typedef void config_diff_fn(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg);

/*
 * Compares by meaning, not by text: defaults written out, order and comments are no change. Service options are compared by name. Calls in
 * the order of the names. 0, or -ENOMEM without a call.
 */
int config_diff(const struct config *old, const struct config *new, config_diff_fn *on_change, void *arg);

/* Takes one option. Returns 0 to go on, negative errno to stop. */
typedef int config_value_fn(const char *name, const char *value, enum config_effect effect, void *arg);

/*
 * Calls for each option with its value, as config_diff_fn has them: those of the table first, then those of the service, in the order of the
 * text. 0, or what stopped it: the callback's error, or -ENOMEM.
 */
int config_each(const struct config *config, config_value_fn *on_value, void *arg);

/* "[::]:11111", "127.0.0.1:80", "/run/x.sock", "systemd:NAME"; with " (IPv6 only)" where it was asked for. To be freed; NULL: no memory. */
char *config_listen_text(const struct config_listen *listen);

/*
 * Would clients of the address `narrow` find `wide`, if `narrow` itself were not listened on? So it is where `wide` means all addresses
 * of a family that `narrow` is of, on the same port.
 */
bool config_listen_covers(const struct config_listen *wide, const struct config_listen *narrow);

#endif
