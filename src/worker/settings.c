/*
 * Reading and checking the configuration.
 */
#include "worker/settings.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "service/service.h"
#include "worker/inheritance.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

int
settings_load(int fd, struct config **ret, struct problems *problems)
{
	cleanup_free char *text = NULL;
	struct config *config;
	size_t len, n_before = problems->n;
	int r;

	r = fd_read_all(fd, CONFIG_TEXT_MAX, &text, &len);
	if (r < 0) {
		problems_add(problems, NULL, 0, "cannot read the configuration: %s", strerror(-r));
		return r;
	}
	r = config_load_text(text, len, &config, problems);
	if (r < 0)
		return r;
	service_check(config, problems);
	if (problems->n > n_before) {
		config_free(config);
		return -EINVAL;
	}
	*ret = config;
	return 0;
}

int
settings_check(void)
{
	struct config *config = NULL;
	struct problems problems;
	cleanup_free char *error = NULL;
	cleanup_fd int fd = -1;
	int r;

	if (inheritance_take_config(&fd, &error) < 0) {
		log_error("%s", error ? error : strerror(ENOMEM));
		return EX_USAGE;
	}
	problems_init(&problems);
	r = settings_load(fd, &config, &problems);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		puts(problems.text[i]);
	if (problems.n > problems_kept(&problems))
		printf("and %zu more\n", problems.n - problems_kept(&problems));
	problems_done(&problems);
	config_free(config);
	if (fflush(stdout) != 0)
		return EX_IOERR;
	return r == 0 ? EX_OK : r == -EINVAL ? EX_CONFIG : EX_OSERR;
}
