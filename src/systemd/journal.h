/*
 * The journal as the sink of the log, in its native protocol, so that fields arrive as fields.
 *
 * Not through sd_journal_sendv(3), because that blocks when journald is slow or stopped, and the master must
 * never: here a record that the journal does not take at once waits in the log, see base/log.h.
 */
#ifndef SYSTEMD_JOURNAL_H
#define SYSTEMD_JOURNAL_H

#include <stdbool.h>

/* Is our stderr a stream to the journal (JOURNAL_STREAM)? Then "auto" means the journal. */
bool journal_is_stderr(void);

/*
 * Connects to the journal and makes it the log's sink. 0, or negative errno when there is no journal: the
 * sink stays as it was.
 */
int journal_open(void);

/* Lets the log go to stderr again; nothing happens when it does. */
void journal_close(void);

#endif
