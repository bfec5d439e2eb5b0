/*
 * Objects of one size.
 */
#include "base/slab.h"

#include "base/sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 1000 };

/* Each has a pattern of its own, so that two in one place would be seen. */
static void
mark(unsigned char *object, size_t size, size_t number)
{
	memset(object, (int)(number % 251 + 1), size);
}

static void
check(const unsigned char *object, size_t size, size_t number)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(object[i], number % 251 + 1);
}

static void
objects_are_apart_aligned_and_zero(void **state)
{
	static const size_t sizes[] = { 1, 8, 100, 239, 4000, 16000 };

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		static unsigned char *object[MANY];
		static const unsigned char zero[16000];
		struct slab slab;

		slab_init(&slab, sizes[k]);
		for (size_t round = 0; round < 2; round++) {
			for (size_t i = round; i < MANY; i += 1 + round) {
				object[i] = slab_alloc(&slab);
				assert_non_null(object[i]);
				assert_int_equal((uintptr_t)object[i] % _Alignof(max_align_t), 0);
				assert_memory_equal(object[i], zero, sizes[k]);
				mark(object[i], sizes[k], i);
			}
			for (size_t i = 0; i < MANY; i++)
				check(object[i], sizes[k], i);
			/* every other one goes, and comes again in the next round */
			for (size_t i = 1; round == 0 && i < MANY; i += 2)
				slab_free(&slab, object[i]);
		}
		for (size_t i = 0; i < MANY; i++)
			slab_free(&slab, object[i]);
		slab_done(&slab);
	}
}

/* Whatever the order in which objects go, the memory goes with them, but for one page. */
static void
memory_goes_with_the_objects(void **state)
{
	static void *object[MANY];
	struct slab slab;
	size_t most;

	(void)state;
	slab_init(&slab, 240);
	for (size_t step = 1; step < MANY; step += 96) {
		for (size_t i = 0; i < MANY; i++)
			object[i] = slab_alloc(&slab);
		most = slab_pages(&slab);
		/* 68 of them in a page; none are mapped where a sanitizer has each for itself */
		if (IS_SANITIZED)
			assert_int_equal(most, 0);
		else
			assert_in_range(most, MANY / 68, MANY / 68 + 1);
		for (size_t i = 0, at = 0; i < MANY; i++, at = (at + step) % MANY) {
			while (!object[at])
				at = (at + 1) % MANY;
			slab_free(&slab, object[at]);
			object[at] = NULL;
		}
		assert_true(slab_pages(&slab) <= 1);
		print_message("%zu pages, then %zu\n", most, slab_pages(&slab));
	}
	slab_done(&slab);
	assert_int_equal(slab_pages(&slab), 0);
}

/* In the order in which they came, page after page goes: what is left is what is used. */
static void
memory_goes_bit_by_bit(void **state)
{
	static void *object[MANY];
	struct slab slab;
	size_t most;

	(void)state;
	slab_init(&slab, 240);
	for (size_t i = 0; i < MANY; i++)
		object[i] = slab_alloc(&slab);
	most = slab_pages(&slab);
	for (size_t i = 0; i < MANY / 2; i++)
		slab_free(&slab, object[i]);
	assert_true(slab_pages(&slab) <= most / 2 + 1);
	for (size_t i = MANY / 2; i < MANY; i++)
		slab_free(&slab, object[i]);
	slab_free(&slab, NULL);
	slab_done(&slab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_apart_aligned_and_zero),
		cmocka_unit_test(memory_goes_with_the_objects),
		cmocka_unit_test(memory_goes_bit_by_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
