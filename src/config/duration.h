/*
 * Durations as people write them: "100s", "250ms", "1.5h".
 */
#ifndef CONFIG_DURATION_H
#define CONFIG_DURATION_H

#include <stdint.h>

/*
 * Reads a number with a unit: us, ms, s, m, h or d. A point and up to six digits behind it are fine; blanks and signs are not.
 * 0 with *ret_us (what is less than a microsecond is dropped); -EINVAL when it is none; -ERANGE above UINT64_MAX; -ENOMEM.
 */
int duration_parse(const char *s, uint64_t *ret_us);

/* Reads a number of seconds. 0 with *ret_us; -ERANGE when it is negative, infinite or too large. */
int duration_from_seconds(double seconds, uint64_t *ret_us);

/* As text, exactly, in the largest unit that it is a whole number of: "2m", but "90s". */
#define DURATION_TEXT_MAX 32
const char *duration_format(uint64_t us, char buf[static DURATION_TEXT_MAX]);

#endif
