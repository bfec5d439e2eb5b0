/*
 * Sizes as people write them: "64MiB", "512KiB", 4096.
 */
#ifndef CONFIG_BYTES_H
#define CONFIG_BYTES_H

#include <stdint.h>

/* Reads a whole number with a unit: B, KiB, MiB, GiB or TiB. 0 with *ret; -EINVAL when it is none; -ERANGE above UINT64_MAX; -ENOMEM. */
int bytes_parse(const char *s, uint64_t *ret);

/* As text, exactly, in the largest unit that it is a whole number of: "64MiB". */
#define BYTES_TEXT_MAX 32
const char *bytes_format(uint64_t bytes, char buf[static BYTES_TEXT_MAX]);

#endif
