/*
 * What of the log has to wait. A record is one block: what it is, pointers to its fields, then all its strings.
 */
#include "base/log_backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t
block_size(const struct log_record *record)
{
	size_t size =
		sizeof(struct log_waiting) + record->n_fields * sizeof(char *) + strlen(record->text) + 1;

	for (size_t i = 0; i < record->n_fields; i++)
		size += strlen(record->fields[i]) + 1;
	return size;
}

/* Returns where the next one goes. */
static char *
put_string(char *to, const char *string)
{
	return stpcpy(to, string) + 1;
}

int
log_backlog_add(struct log_backlog *backlog, const struct log_record *record, unsigned long lost)
{
	size_t size = block_size(record);
	struct log_waiting *new;
	char *p;

	if (size > LOG_BACKLOG_MAX - backlog->bytes)
		return -ENOBUFS;
	new = malloc(size);
	if (!new)
		return -ENOMEM;
	new->size = size;
	new->lost = lost;
	new->record = *record;
	new->record.fields = new->fields;
	new->record.text = p = (char *)&new->fields[record->n_fields];
	p = put_string(p, record->text);
	for (size_t i = 0; i < record->n_fields; i++) {
		new->fields[i] = p;
		p = put_string(p, record->fields[i]);
	}
	STAILQ_INSERT_TAIL(&backlog->waiting, new, link);
	backlog->bytes += size;
	return 0;
}

struct log_waiting *
log_backlog_first(const struct log_backlog *backlog)
{
	return STAILQ_FIRST(&backlog->waiting);
}

void
log_backlog_drop(struct log_backlog *backlog)
{
	struct log_waiting *first = STAILQ_FIRST(&backlog->waiting);

	STAILQ_REMOVE_HEAD(&backlog->waiting, link);
	backlog->bytes -= first->size;
	free(first);
}
