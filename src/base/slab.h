/*
 * Many objects of one size, whose memory goes back to the system as they go.
 *
 * malloc can't do that where small blocks that stay lie between them: with 10,000 connections freed, it keeps nearly all of their
 * pages, for the sake of what an event loop remembers of each descriptor. Here they lie among themselves, in pages that are
 * unmapped when they are empty.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>
#include <sys/queue.h>

#define SLAB_PAGE \
	(16 * 1024) /* what is mapped at a time, aligned to its size; an object must be smaller than that */

struct slab_page;

struct slab {
	size_t size;                                 /* of an object */
	TAILQ_HEAD(slab_page_list, slab_page) pages; /* with room */
	size_t n_full;                               /* pages that are not in the list */
};

void slab_init(struct slab *slab, size_t size);

/* An object, all zero; or NULL. */
void *slab_alloc(struct slab *slab);

/* NULL is fine. */
void slab_free(struct slab *slab, void *object);

/* Unmaps what is left; there must be no objects any more. All zero is fine. */
void slab_done(struct slab *slab);

/* How many pages are mapped. */
size_t slab_pages(const struct slab *slab);

#endif
