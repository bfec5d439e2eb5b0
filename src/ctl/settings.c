/*
 * The commands about the configuration. None of them changes anything.
 */
#include "ctl/settings.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "config/config.h"
#include "ctl/api.h"
#include "ctl/line.h"
#include "ctl/shown.h"

#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sysexits.h>

int
settings_show(struct ctl *ctl, int argc, char **argv)
{
	cleanup_free char *text = NULL;
	size_t len;
	int r;

	if ((r = ctl_parse(ctl, argc, argv, &(struct ctl_syntax){ .min = 0, .max = 0 })) != CTL_GO_ON)
		return r;
	r = api_get_text(ctl->client, "/v1/config", &text, &len);
	if (r < 0)
		return ctl_fail(ctl, r);
	if (ctl->out.is_terminal)
		shown_print(stdout, text, len);
	else
		fwrite(text, 1, len, stdout); /* to the byte, as it is the daemon's */
	return CTL_OK;
}

/* The file that the daemon reads. 0 with *ret, to be freed; or negative errno with client_error. */
static int
find_file(const struct ctl *ctl, char **ret)
{
	cleanup_json json_t *status = NULL;
	int r = api_get(ctl->client, "/v1/status", &status);
	const char *path;

	if (r < 0)
		return r;
	path = api_string(json_object_get(status, "config"), "path", "");
	/* the daemon's own directory is not ours: a relative name would be another file here */
	if (*path != '/')
		return client_set_error(
			ctl->client, -EPROTO, "the daemon's file is not known by a full path: name FILE");
	*ret = strdup(path);
	return *ret ? 0 : client_set_error(ctl->client, -ENOMEM, "out of memory");
}

/* ---- diff ---- */

struct comparison {
	const struct terminal *terminal;
	size_t n_changes;
};

/* A config_diff_fn. */
static void
print_change(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg)
{
	struct comparison *comparison = arg;
	struct line line;

	comparison->n_changes++;
	line_init(&line, comparison->terminal);
	line_add(&line, STYLE_BOLD, "%s", name);
	line_add(&line, STYLE_PLAIN, ": %s -> %s ", old_value, new_value);
	line_add(&line, STYLE_DIM, "(%s)",
		effect == CONFIG_EFFECT_ROLL ? "by rolling the workers" : "at once");
	line_print(&line, stdout, 0);
	putchar('\n');
}

static void
print_problems(const struct problems *problems)
{
	for (size_t i = 0; i < problems_kept(problems); i++) {
		cleanup_free char *shown = shown_text(problems->text[i]);

		if (shown)
			fprintf(stderr, "%s\n", shown);
	}
	if (problems->n > problems_kept(problems))
		fprintf(stderr, "and %zu more\n", problems->n - problems_kept(problems));
}

/* What the daemon runs. 0 with *ret, or the exit status. */
static int
load_running(const struct ctl *ctl, struct config **ret)
{
	cleanup_free char *text = NULL;
	struct problems problems;
	size_t len;
	int r = api_get_text(ctl->client, "/v1/config", &text, &len);

	if (r < 0)
		return ctl_fail(ctl, r);
	problems_init(&problems);
	r = config_load_text(text, len, ret, &problems);
	if (r < 0) {
		ctl_complain("this version does not understand the configuration that the daemon runs:");
		print_problems(&problems);
	}
	problems_done(&problems);
	return r == 0 ? 0 : EX_PROTOCOL;
}

/* What the file says. 0 with *ret, or the exit status. */
static int
load_file(const char *path, struct config **ret)
{
	struct problems problems;
	int r;

	problems_init(&problems);
	/* the limits that count are those of the daemon, not of this shell */
	r = config_look_at_file(path, ret, &problems);
	print_problems(&problems);
	problems_done(&problems);
	return r == 0 ? 0 : r == -ENOMEM ? EX_OSERR : EX_CONFIG;
}

/* Returns the exit status. */
static int
compare(const struct ctl *ctl, const char *path)
{
	struct config *running = NULL, *candidate = NULL;
	struct comparison comparison = { &ctl->out, 0 };
	int status = load_running(ctl, &running);

	if (status == 0)
		status = load_file(path, &candidate);
	if (status == 0 && config_diff(running, candidate, print_change, &comparison) < 0)
		status = ctl_no_memory();
	config_free(running);
	config_free(candidate);
	return status ? status : comparison.n_changes > 0 ? CTL_DIFFERENT : CTL_OK;
}

int
settings_diff(struct ctl *ctl, int argc, char **argv)
{
	cleanup_free char *path = NULL;
	int r;

	if ((r = ctl_parse(ctl, argc, argv, &(struct ctl_syntax){ .min = 0, .max = 1 })) != CTL_GO_ON)
		return r;
	if (!ctl->argument[0] && (r = find_file(ctl, &path)) < 0)
		return ctl_fail(ctl, r);
	return compare(ctl, ctl->argument[0] ? ctl->argument[0] : path);
}

/* ---- check ---- */

/* A program beside this one, as in a build tree. To be freed; NULL: there is none. */
static char *
find_beside(const char *name)
{
	char self[PATH_MAX] = "";
	const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	cleanup_free char *path = len > 0 ? text_format("%s/%s", dirname(self), name) : NULL;

	return path && access(path, X_OK) == 0 ? take_ptr(path) : NULL;
}

/* The daemon's file; without a daemon, the one that it would read. To be freed; NULL: said why, with *ret_status. */
static char *
file_to_check(const struct ctl *ctl, int *ret_status)
{
	char *path = NULL;
	int r = find_file(ctl, &path);

	if (r == 0)
		return path;
	*ret_status = ctl_fail(ctl, r);
	if (*ret_status != CTL_UNAVAILABLE)
		return NULL;
	path = strdup(GRACEFULD_SYSCONFDIR "/gracefuld.conf");
	if (path)
		ctl_complain("checking %s", path);
	else
		*ret_status = ctl_no_memory();
	return path;
}

int
settings_check(struct ctl *ctl, int argc, char **argv)
{
	cleanup_free char *beside = find_beside("gracefuld"), *found = NULL;
	cleanup_free char *worker = beside ? find_beside("gracefuld-worker") : NULL;
	const char *program = beside ? beside : GRACEFULD_SBINDIR "/gracefuld";
	const char *path;
	int status;

	if ((status = ctl_parse(ctl, argc, argv, &(struct ctl_syntax){ .min = 0, .max = 1 })) != CTL_GO_ON)
		return status;
	path = ctl->argument[0];
	if (!path && !(path = found = file_to_check(ctl, &status)))
		return status;
	fflush(NULL);
	client_free(ctl->client); /* libcurl has descriptors that are not close-on-exec */
	ctl->client = NULL;
	execl(program, program, "-t", "-c", path, worker ? "-W" : NULL, worker, (char *)NULL);
	ctl_complain("cannot run %s: %s", program, strerror(errno));
	return EX_UNAVAILABLE;
}
