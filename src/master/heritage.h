/*
 * What a master hands on to the one that takes its place in the same process (reexec.h): a description of its state, as JSON in a
 * sealed memfd, and the descriptors that the description names by their numbers, which stay open across exec.
 *
 * An object is described by one table of its fields, by which it is both saved and loaded, so the two can't differ. The reader is
 * strict: each field must be there, of its type and within its limits, and nothing else may be. What a new version adds or changes
 * takes a new HERITAGE_VERSION.
 */
#ifndef MASTER_HERITAGE_H
#define MASTER_HERITAGE_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tells a new image that it takes over, by the number of the memfd's descriptor. No child ever sees it. */
#define HERITAGE_ENV     "GRACEFULD_STATE_FD"
#define HERITAGE_VERSION 1
/* A thousand workers in their worst state take some 20 MB. */
#define HERITAGE_SIZE_MAX (64 * 1024 * 1024)

struct heritage {
	/* Loading: only to see whether it could be. No descriptor is taken, nothing is begun, nothing outside is touched. */
	bool trial;
	bool failed;     /* saving: no memory */
	int *fd;         /* saving: those that the description names */
	size_t n_fd;     /* … */
	size_t n_read;   /* … the first of them are what a trial reads too */
	char error[256]; /* loading: what was wrong first */
};

enum heritage_type {
	HERITAGE_TYPE_NUMBER, /* unsigned, of 1, 4 or 8 bytes; at most `max` */
	HERITAGE_TYPE_NUMBERS, /* uint64_t[]; those missing at the end are 0: an older program did not count them */
	HERITAGE_TYPE_BOOL,
	HERITAGE_TYPE_FD,     /* an open one */
	HERITAGE_TYPE_TEXT,   /* char[] */
	HERITAGE_TYPE_STRING, /* char *, allocated, or NULL */
	HERITAGE_TYPE_REST,   /* anything: code of its own saves and loads it */
};

struct heritage_field {
	const char *name; /* NULL ends the table */
	enum heritage_type type;
	size_t offset, size;
	uint64_t max;
};

#define HERITAGE_ROW(type_, of, field, max_)                                    \
	{                                                                       \
		.name = #field, .type = (type_), .offset = offsetof(of, field), \
		.size = sizeof(((of *)0)->field), .max = (max_)                 \
	}
#define HERITAGE_NUMBER(of, field, max) HERITAGE_ROW(HERITAGE_TYPE_NUMBER, of, field, max)
#define HERITAGE_NUMBERS(of, field)     HERITAGE_ROW(HERITAGE_TYPE_NUMBERS, of, field, 0)
#define HERITAGE_BOOL(of, field)        HERITAGE_ROW(HERITAGE_TYPE_BOOL, of, field, 0)
#define HERITAGE_FD(of, field)          HERITAGE_ROW(HERITAGE_TYPE_FD, of, field, 0)
#define HERITAGE_TEXT(of, field)        HERITAGE_ROW(HERITAGE_TYPE_TEXT, of, field, 0)
#define HERITAGE_STRING(of, field)      HERITAGE_ROW(HERITAGE_TYPE_STRING, of, field, 0)
#define HERITAGE_REST(name_)                                \
	{                                                   \
		.name = (name_), .type = HERITAGE_TYPE_REST \
	}
#define HERITAGE_END         \
	{                    \
		.name = NULL \
	}

/* ---- saving: what fails for want of memory is remembered in `failed` ---- */

/* An object with all fields but those of HERITAGE_REST. */
json_t *heritage_save(struct heritage *heritage, const struct heritage_field *fields, const void *from);

/* Sets a member, and takes it. */
void heritage_set(struct heritage *heritage, json_t *object, const char *name, json_t *value);

/* Adds to an array, and takes it. */
void heritage_add(struct heritage *heritage, json_t *array, json_t *value);

/* Bytes, whatever they are, as text. */
json_t *heritage_bytes(const void *data, size_t len);

/* The number of a descriptor, which is to stay open. With `read`, a trial needs it too. */
json_t *heritage_fd(struct heritage *heritage, int fd, bool read);

json_t *heritage_numbers(const uint64_t *number, size_t n);

/*
 * Puts the description into a sealed memfd, which belongs to the descriptors that stay open from then on. Takes `json`. The
 * descriptor, or negative errno.
 */
int heritage_seal(struct heritage *heritage, json_t *json);

/* Lets the descriptors stay open across exec, or no longer. 0, or negative errno. */
int heritage_keep(const struct heritage *heritage, bool keep);

/* Frees what it holds. The descriptors stay. */
void heritage_done(struct heritage *heritage);

/* ---- loading: false, with `error`, when it can't be ---- */

/* Fills in all fields but those of HERITAGE_REST, which are only seen to be there. */
bool heritage_load(
	struct heritage *heritage, const struct heritage_field *fields, const json_t *object, void *into);

/* Says what is wrong. Always false. */
bool heritage_refuse(struct heritage *heritage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The bytes, with a NUL behind them that *ret_len does not count; to be freed. NULL: it is no such text, or no memory. */
char *heritage_load_bytes(const json_t *text, size_t *ret_len);

/*
 * Takes a descriptor, which must be open and is close-on-exec from then on. In a trial *ret is -1. One that a trial can read is
 * looked at by heritage_look_fd before: its number, or -1.
 */
bool heritage_load_fd(struct heritage *heritage, const json_t *number, int *ret);
int heritage_look_fd(const json_t *number);

/* An array of at most `max` numbers. */
bool heritage_load_numbers(struct heritage *heritage, const json_t *array, uint64_t *into, size_t max);

/* Takes the variable out of the environment. The descriptor; -1: there is none; or -EINVAL: it is no number. */
int heritage_from_environment(void);

/*
 * Reads the description: it must be sealed, of this version, and of this process, or in a trial of its parent. NULL, with `error`.
 * Takes the descriptor.
 */
json_t *heritage_open(struct heritage *heritage, int fd);

/* An environment like ours, to be freed with its last string, which says where the state is. NULL: no memory. */
char **heritage_environment(int fd);
void heritage_environment_free(char **environment);

#endif
