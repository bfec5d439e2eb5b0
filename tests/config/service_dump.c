/*
 * Shows the options of services, as `config_dump --options` does those of the configuration.
 */
#include "base/cleanup.h"
#include "config/exec_options.h"
#include "service/http/options.h"

#include <sysexits.h>

static void
show(const struct option_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *option = &table->option[i];
		cleanup_free char *range = option_format_range(option);

		printf("service.%s\t%s\t%s\t%s\t%s\n", option->name, option->fallback ? option->fallback : "",
			range ? range : "", option->effect == CONFIG_EFFECT_LIVE ? "live" : "roll",
			option->help);
	}
}

int
main(void)
{
	show(http_options_table());
	show(exec_options_table());
	return EX_OK;
}
