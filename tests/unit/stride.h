/*
 * For tests that try each place in a text: under a tool that makes everything slow they go on by more than one.
 */
#ifndef TESTS_UNIT_STRIDE_H
#define TESTS_UNIT_STRIDE_H

#include <stddef.h>
#include <stdlib.h>

/* 1, or what GRACEFULD_STRIDE says. */
static inline size_t
stride(void)
{
	const char *wanted = getenv("GRACEFULD_STRIDE");

	return wanted && atoi(wanted) > 0 ? (size_t)atoi(wanted) : 1;
}

#endif
