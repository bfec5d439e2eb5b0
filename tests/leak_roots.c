/*
 * Where LeakSanitizer looks for pointers when a program of a sanitizers' build ends, beside stacks and the heap: in all global data. Nearly
 * all of that are tables of the sanitizers themselves, 9 MB, of which a program of ours touches some kB. To read the rest took more than half
 * of the time of a program that only starts and ends, and the tests start many. Nothing is in a page that was never touched: so the list of
 * the program's parts that LeakSanitizer goes by (dl_iterate_phdr(3)) has only those pages of what can be written to when it comes to its turn.
 *
 * A sanitizer may call this before it can be called itself: so nothing here is sanitized.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/* One word for each page in /proc/PID/pagemap: proc_pid_pagemap(5). */
#define PAGE_IN_MEMORY (UINT64_C(1) << 63)
#define PAGE_IN_SWAP   (UINT64_C(1) << 62)

#define RAW __attribute__((no_sanitize("address", "undefined")))

enum { PAGES_AT_A_TIME = 512, PARTS_MAX = 256 };

typedef int visit_fn(struct dl_phdr_info *object, size_t size, void *arg);

/* Known when the program's own end is over; n_parts is 0 before, and if it can't be known. */
static ElfW(Phdr) parts[PARTS_MAX];
static size_t n_parts;

struct visit {
	visit_fn *fn;
	void *arg;
};

static bool RAW
is_data(const ElfW(Phdr) * part)
{
	return part->p_type == PT_LOAD && part->p_flags & PF_W;
}

/* False: there is no more room. */
static bool RAW
add_part(const ElfW(Phdr) * part)
{
	ElfW(Phdr) *last = n_parts > 0 ? &parts[n_parts - 1] : NULL;

	if (last && is_data(last) && is_data(part) && last->p_vaddr + last->p_memsz == part->p_vaddr) {
		last->p_memsz += part->p_memsz;
		return true;
	}
	if (n_parts == PARTS_MAX)
		return false;
	parts[n_parts++] = *part;
	return true;
}

/* Adds what is touched of one with data, each stretch of pages as a part. False: it can't be known. */
static bool RAW
add_touched(int pagemap, uintptr_t base, const ElfW(Phdr) * part)
{
	const uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE), to = base + part->p_vaddr + part->p_memsz;
	uint64_t pages[PAGES_AT_A_TIME];
	size_t n;

	for (uintptr_t from = (base + part->p_vaddr) & ~(size - 1); from < to;
		from += PAGES_AT_A_TIME * size) {
		n = (to - from + size - 1) / size;
		n = n < PAGES_AT_A_TIME ? n : PAGES_AT_A_TIME;
		if (pread(pagemap, pages, n * sizeof(*pages), (off_t)(from / size * sizeof(*pages))) !=
			(ssize_t)(n * sizeof(*pages)))
			return false;
		for (size_t i = 0; i < n; i++) {
			ElfW(Phdr) page = *part;

			page.p_vaddr = from + i * size - base;
			page.p_memsz = size;
			if (pages[i] & (PAGE_IN_MEMORY | PAGE_IN_SWAP) && !add_part(&page))
				return false;
		}
	}
	return true;
}

/* A visit_fn: of the program itself, which comes first. */
static int RAW
list_parts(struct dl_phdr_info *program, size_t size, void *arg)
{
	const int *pagemap = arg;
	bool known = *pagemap >= 0;

	(void)size;
	for (size_t i = 0; known && i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &program->dlpi_phdr[i];

		known = is_data(part) ? add_touched(*pagemap, program->dlpi_addr, part) : add_part(part);
	}
	if (!known)
		n_parts = 0;
	return 1;
}

static void RAW __attribute__((destructor)) on_end(void)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	dl_iterate_phdr(list_parts, &pagemap);
	if (pagemap >= 0)
		close(pagemap);
}

/* A visit_fn: the program itself comes first, and has no name. */
static int RAW
visit_with_parts(struct dl_phdr_info *object, size_t size, void *arg)
{
	const struct visit *visit = arg;
	struct dl_phdr_info copy = *object;

	if (object->dlpi_name[0] == '\0' && n_parts > 0) {
		copy.dlpi_phdr = parts;
		copy.dlpi_phnum = (ElfW(Half))n_parts;
	}
	return visit->fn(&copy, size, visit->arg);
}

/* In the C library's place. */
int RAW
dl_iterate_phdr(visit_fn *fn, void *arg)
{
	int (*real)(visit_fn *, void *) = (int (*)(visit_fn *, void *))dlsym(RTLD_NEXT, "dl_iterate_phdr");
	struct visit visit = { fn, arg };

	return real(visit_with_parts, &visit);
}
