/*
 * Files that this process obeys, such as its configuration: could somebody have written one who may not command the process?
 */
#ifndef BASE_TRUST_H
#define BASE_TRUST_H

#include <stdbool.h>
#include <sys/stat.h>

#define TRUST_TEXT_MAX 128

/*
 * Is it a regular file that only root, this process's user, and groups of theirs may write to? False with the reason, to be put behind the
 * file's name.
 */
bool trust_file(const struct stat *st, char ret_why[TRUST_TEXT_MAX]);

#endif
