/*
 * The connections of one server of the control server, on their way from one image of the master to the next: who is connected
 * notices nothing.
 */
#ifndef CONTROL_PASSAGE_H
#define CONTROL_PASSAGE_H

#include "http/handoff.h"
#include "master/heritage.h"

/* Those that stand still meanwhile. */
struct passage {
	struct heritage *heritage;
	json_t *array; /* the descriptions */
	struct http_connection **frozen;
	size_t n_frozen;
};

/* Stops all connections of the server, and describes them; but those who wait for an answer, who lose their connection. */
void passage_save(struct passage *passage, struct http_server *server);

/* There was no next image: they go on here. */
void passage_resume(struct passage *passage);

/* Goes on with those that were described; in a trial only looks at them. False when that can't be. */
bool passage_load(struct heritage *heritage, const json_t *array, struct http_server *server);

#endif
