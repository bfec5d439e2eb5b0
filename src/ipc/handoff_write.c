/*
 * Handoff: making messages.
 */
#include "ipc/handoff.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/socket.h"
#include "ipc/handoff_layout.h"

#include <errno.h>

/* ---- bytes ---- */

/* Room for `len` more at the end: where it is, or NULL and the record fails. */
static unsigned char *
extend(struct handoff_writer *w, size_t len)
{
	size_t size = w->size > 0 ? w->size : 4096;
	unsigned char *data;

	if (w->error < 0)
		return NULL;
	while (size - w->len < len)
		size *= 2;
	if (size > w->size) {
		data = realloc(w->data, size);
		if (!data) {
			w->error = -ENOMEM;
			return NULL;
		}
		w->data = data;
		w->size = size;
	}
	data = w->data + w->len;
	w->len += len;
	return data;
}

/* ---- a record ---- */

void
handoff_writer_begin(struct handoff_writer *w, uint64_t id)
{
	unsigned char *at;

	w->error = 0;
	if (w->len == 0)
		extend(w, LAYOUT_HEADER);
	w->record = w->len;
	w->record_fds = w->n_fds;
	w->own_fields = 0;
	at = extend(w, LAYOUT_RECORD);
	if (at)
		layout_put_u64(at + LAYOUT_RECORD_ID, id);
}

void
handoff_put_bytes(struct handoff_writer *w, unsigned tag, const void *data, size_t len)
{
	unsigned char *at;

	if (len > HANDOFF_LARGE_MAX)
		w->error = -EMSGSIZE;
	at = extend(w, LAYOUT_FIELD + len);
	if (!at)
		return;
	layout_put_u16(at + LAYOUT_FIELD_TAG, tag);
	layout_put_u32(at + LAYOUT_FIELD_LENGTH, len);
	if (len > 0)
		memcpy(at + LAYOUT_FIELD, data, len);
}

void
handoff_put_number(struct handoff_writer *w, unsigned tag, uint64_t value)
{
	uint64_t le = htole64(value);

	handoff_put_bytes(w, tag, &le, sizeof(le));
}

void
handoff_put_fd(struct handoff_writer *w, int fd)
{
	if (w->n_fds - w->record_fds == HANDOFF_RECORD_FDS || w->n_fds == HANDOFF_FDS_MAX)
		w->error = -E2BIG;
	if (w->error == 0)
		w->fd[w->n_fds++] = fd;
}

void
handoff_writer_service(struct handoff_writer *w)
{
	w->own_fields = w->len;
}

/* Moves the service's fields into a memfd. */
static int
move_out(struct handoff_writer *w)
{
	size_t len = w->len - w->own_fields;
	int memfd;

	if (len > HANDOFF_LARGE_MAX)
		return -EMSGSIZE;
	memfd = fd_sealed_memfd("gracefuld-handoff", w->data + w->own_fields, len);
	if (memfd < 0)
		return memfd;
	w->memfd[w->n_memfds++] = w->fd[w->n_fds++] = memfd;
	w->len = w->own_fields;
	handoff_put_number(w, HANDOFF_TAG_LARGE, len);
	return w->error;
}

int
handoff_writer_end(struct handoff_writer *w)
{
	unsigned char *record;
	int r = w->error;

	if (r == 0 && w->own_fields > 0 && w->len - w->own_fields > HANDOFF_INLINE_MAX)
		r = move_out(w);
	/* of a service that did not say where its fields begin: what is longer can't be received */
	if (r == 0 && w->len > HANDOFF_MESSAGE_MAX)
		r = -EMSGSIZE;
	if (r < 0) {
		handoff_writer_cancel(w);
		return r;
	}
	record = w->data + w->record;
	layout_put_u32(record + LAYOUT_RECORD_LENGTH, w->len - w->record);
	layout_put_u16(record + LAYOUT_RECORD_FDS, (unsigned)(w->n_fds - w->record_fds));
	w->n_records++;
	return 0;
}

void
handoff_writer_cancel(struct handoff_writer *w)
{
	w->len = w->n_records > 0 ? w->record : 0;
	w->n_fds = w->record_fds;
	w->error = 0;
}

/* ---- the message ---- */

bool
handoff_writer_is_full(const struct handoff_writer *w)
{
	return layout_is_full(w->n_records, w->len, w->n_fds);
}

static void
empty(struct handoff_writer *w)
{
	while (w->n_memfds > 0)
		fd_close(&w->memfd[--w->n_memfds]);
	w->len = w->n_records = w->n_fds = 0;
}

int
handoff_writer_send(struct handoff_writer *w, int socket)
{
	int r;

	layout_put_header(w->data, HANDOFF_VERSION, LAYOUT_OFFER, w->n_records, w->len);
	r = socket_send(socket, w->data, w->len, w->fd, w->n_fds);
	if (r == 0)
		empty(w);
	return r;
}

void
handoff_writer_done(struct handoff_writer *w)
{
	empty(w);
	free(w->data);
	*w = (struct handoff_writer){ 0 };
}

size_t
handoff_answers_write(unsigned char *buf, const struct handoff_answer *answers, size_t n)
{
	size_t len = LAYOUT_HEADER;

	for (size_t i = 0; i < n; i++) {
		layout_put_u64(buf + len + LAYOUT_ANSWER_ID, answers[i].id);
		layout_put_u16(buf + len + LAYOUT_ANSWER_VERDICT,
			answers[i].adopted ? LAYOUT_ADOPTED : LAYOUT_REFUSED);
		len += LAYOUT_ANSWER;
	}
	layout_put_header(buf, HANDOFF_VERSION, LAYOUT_ANSWERS, n, len);
	return len;
}
