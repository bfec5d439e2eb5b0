/*
 * Shows the options of a service, as `config_dump --options` does those of the configuration.
 *
 *	service_dump [http | proxy]
 */
#include "base/cleanup.h"
#include "config/exec_options.h"
#include "service/http/options.h"
#include "service/proxy/options.h"

#include <string.h>
#include <sysexits.h>

static void
show(const char *prefix, const struct option_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *option = &table->option[i];
		cleanup_free char *range = option_format_range(option);

		printf("%s.%s\t%s\t%s\t%s\t%s\n", prefix, option->name,
			option->fallback ? option->fallback : "", range ? range : "",
			option->effect == CONFIG_EFFECT_LIVE ? "live" : "roll", option->help);
	}
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "proxy") == 0) {
		show("service", proxy_options_table());
		show("service.upstreams", proxy_upstream_table());
	} else {
		show("service", http_options_table());
		show("service", exec_options_table());
	}
	return EX_OK;
}
