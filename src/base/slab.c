/*
 * Many objects of one size.
 */
#include "base/slab.h"

#include "base/sanitizer.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* An object that is free: the next one of its page. */
struct slot {
	struct slot *next;
};

/* At the beginning of its memory, so that an object finds it by its address. */
struct slab_page {
	TAILQ_ENTRY(slab_page) entry;
	struct slot *free;
	size_t n_used;
	size_t n_fresh; /* at the end, never used yet: so a page that is half used is half there */
};

/* Where the objects begin; each is aligned like malloc's. */
enum { ALIGN = _Alignof(max_align_t), HEAD = (sizeof(struct slab_page) + ALIGN - 1) / ALIGN * ALIGN };

/* Under a sanitizer each object is a block of its own, or its misuse would not be seen. */
enum { IS_PLAIN = IS_SANITIZED };

void
slab_init(struct slab *slab, size_t size)
{
	size_t least = size < sizeof(struct slot) ? sizeof(struct slot) : size;

	*slab = (struct slab){ .size = (least + ALIGN - 1) / ALIGN * ALIGN };
	assert(slab->size <= SLAB_PAGE - HEAD);
	TAILQ_INIT(&slab->pages);
}

static size_t
capacity(const struct slab *slab)
{
	return (SLAB_PAGE - HEAD) / slab->size;
}

static struct slab_page *
page_of(const void *object)
{
	return (struct slab_page *)((uintptr_t)object & ~(uintptr_t)(SLAB_PAGE - 1));
}

/* Maps twice as much as is needed, and keeps the part that is aligned. */
static struct slab_page *
page_map(const struct slab *slab)
{
	char *map = mmap(NULL, 2 * SLAB_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;
	struct slab_page *page;

	if (map == MAP_FAILED)
		return NULL;
	before = (SLAB_PAGE - (uintptr_t)map % SLAB_PAGE) % SLAB_PAGE;
	page = (struct slab_page *)(void *)(map + before);
	if (before > 0)
		munmap(map, before);
	munmap(map + before + SLAB_PAGE, SLAB_PAGE - before);
	page->n_fresh = capacity(slab);
	return page;
}

/* Takes one out of a page that has room. */
static void *
page_take(const struct slab *slab, struct slab_page *page)
{
	struct slot *slot = page->free;

	page->n_used++;
	if (!slot)
		return (char *)page + HEAD + (capacity(slab) - page->n_fresh--) * slab->size;
	page->free = slot->next;
	return memset(slot, 0, slab->size);
}

void *
slab_alloc(struct slab *slab)
{
	struct slab_page *page = TAILQ_FIRST(&slab->pages);
	void *object;

	if (IS_PLAIN)
		return calloc(1, slab->size);
	if (!page) {
		page = page_map(slab);
		if (!page)
			return NULL;
		TAILQ_INSERT_HEAD(&slab->pages, page, entry);
	}
	object = page_take(slab, page);
	if (page->n_used == capacity(slab)) {
		TAILQ_REMOVE(&slab->pages, page, entry);
		slab->n_full++;
	}
	return object;
}

/* One that is empty is kept while it is the only one with room, so that a single object that comes and goes costs no system call. */
static void
page_release(struct slab *slab, struct slab_page *page)
{
	if (TAILQ_FIRST(&slab->pages) == page && !TAILQ_NEXT(page, entry))
		return;
	TAILQ_REMOVE(&slab->pages, page, entry);
	munmap(page, SLAB_PAGE);
}

void
slab_free(struct slab *slab, void *object)
{
	struct slab_page *page = page_of(object);
	struct slot *slot = object;

	if (IS_PLAIN)
		free(object);
	if (IS_PLAIN || !object)
		return;
	if (page->n_used-- == capacity(slab)) {
		slab->n_full--;
		TAILQ_INSERT_HEAD(&slab->pages, page, entry);
	}
	slot->next = page->free;
	page->free = slot;
	if (page->n_used == 0)
		page_release(slab, page);
}

void
slab_done(struct slab *slab)
{
	struct slab_page *page;

	while ((page = TAILQ_FIRST(&slab->pages))) {
		assert(page->n_used == 0);
		TAILQ_REMOVE(&slab->pages, page, entry);
		munmap(page, SLAB_PAGE);
	}
	assert(slab->n_full == 0);
}

size_t
slab_pages(const struct slab *slab)
{
	const struct slab_page *page;
	size_t n = slab->n_full;

	TAILQ_FOREACH(page, &slab->pages, entry)
		n++;
	return n;
}
