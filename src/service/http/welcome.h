/*
 * The page that is served without a root: it says which worker answers.
 */
#ifndef SERVICE_HTTP_WELCOME_H
#define SERVICE_HTTP_WELCOME_H

#include "service/http/exchange.h"

enum { WELCOME_FORMS = 3 };

struct welcome {
	uint64_t slot, generation;
	uint64_t started_us; /* clock_now_us */
	time_t made;         /* the second that the pages were made in; 0: never */
	struct {
		char text[1536]; /* fields of the head, an empty line between, and the page */
		size_t head_len, len;
	} page[WELCOME_FORMS];
};

void welcome_init(struct welcome *welcome, uint64_t slot, uint64_t generation);

/* Answers a request, whatever it is. */
void welcome_answer(struct welcome *welcome, struct exchange *exchange);

#endif
