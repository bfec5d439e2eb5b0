/*
 * Messages of the handoff: what was written is read again, and what is damaged is refused, or makes sense; either way no descriptor
 * is left behind.
 */
#include "ipc/handoff.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/socket.h"
#include "ipc/handoff_layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { TAG_NUMBER = HANDOFF_TAG_SERVICE_FIRST, TAG_BYTES };

/* How many descriptors this process has. */
static size_t
count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* Sockets to send over, descriptors to be sent, and what has come. */
struct scene {
	int out, in;
	int given[HANDOFF_RECORD_FDS];
	size_t fds_before;
	struct handoff_writer writer;
	unsigned char data[HANDOFF_MESSAGE_MAX];
	size_t len;
	int fds[SOCKET_FDS_MAX];
	size_t n_fds;
};

static int
open_scene(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	scene->out = ends[0];
	scene->in = ends[1];
	for (size_t i = 0; i < ARRAY_LEN(scene->given); i++)
		scene->given[i] = memfd_create("given", MFD_CLOEXEC);
	scene->fds_before = count_fds();
	*state = scene;
	return 0;
}

static int
close_scene(void **state)
{
	struct scene *scene = *state;

	handoff_writer_done(&scene->writer);
	assert_int_equal(count_fds(), scene->fds_before);
	fd_close(&scene->out);
	fd_close(&scene->in);
	for (size_t i = 0; i < ARRAY_LEN(scene->given); i++)
		fd_close(&scene->given[i]);
	free(scene);
	return 0;
}

/* One record: so many descriptors, a number, and bytes. */
static int
put_record(struct scene *scene, uint64_t id, size_t n_fds, const char *bytes, size_t len)
{
	struct handoff_writer *w = &scene->writer;

	handoff_writer_begin(w, id);
	for (size_t i = 0; i < n_fds; i++)
		handoff_put_fd(w, scene->given[i]);
	handoff_writer_service(w);
	handoff_put_number(w, TAG_NUMBER, id * 3);
	handoff_put_bytes(w, TAG_BYTES, bytes, len);
	return handoff_writer_end(w);
}

static void
send_and_receive(struct scene *scene)
{
	ssize_t len;

	assert_int_equal(handoff_writer_send(&scene->writer, scene->out), 0);
	scene->n_fds = ARRAY_LEN(scene->fds);
	len = socket_receive(scene->in, scene->data, sizeof(scene->data), scene->fds, &scene->n_fds);
	assert_true(len > 0);
	scene->len = (size_t)len;
}

static void
close_fds(struct scene *scene)
{
	while (scene->n_fds > 0)
		fd_close(&scene->fds[--scene->n_fds]);
}

static bool
is_same_file(int a, int b)
{
	struct stat st_a, st_b;

	assert_int_equal(fstat(a, &st_a), 0);
	assert_int_equal(fstat(b, &st_b), 0);
	return st_a.st_ino == st_b.st_ino;
}

static void
check_record(struct scene *scene, struct handoff_record *record, uint64_t id, size_t n_fds, const char *bytes,
	size_t len)
{
	struct handoff_field field;
	uint64_t number;

	assert_int_equal(record->id, id);
	assert_int_equal(handoff_next(record, &field), 1);
	assert_int_equal(field.tag, TAG_NUMBER);
	assert_int_equal(handoff_field_number(&field, &number), 0);
	assert_int_equal(number, id * 3);
	assert_int_equal(handoff_next(record, &field), 1);
	assert_int_equal(field.tag, TAG_BYTES);
	assert_int_equal(field.len, len);
	assert_memory_equal(field.data, bytes, len);
	assert_int_equal(handoff_field_number(&field, &number), -EBADMSG);
	assert_int_equal(handoff_next(record, &field), 0);
	assert_int_equal(record->n_fds, n_fds);
	for (size_t i = 0; i < n_fds; i++) {
		assert_true(is_same_file(record->fd[i], scene->given[i]));
		assert_true(fcntl(record->fd[i], F_GETFD) & FD_CLOEXEC);
	}
}

static void
one_record_comes_whole(void **state)
{
	struct scene *scene = *state;
	struct handoff_offer offer;

	assert_int_equal(put_record(scene, 77, HANDOFF_RECORD_FDS, "some bytes", 10), 0);
	send_and_receive(scene);
	assert_int_equal(handoff_offer_read(&offer, scene->data, scene->len, scene->fds, scene->n_fds), 0);
	assert_int_equal(offer.n, 1);
	assert_false(offer.full);
	check_record(scene, &offer.record[0], 77, HANDOFF_RECORD_FDS, "some bytes", 10);
	handoff_offer_done(&offer);
}

static void
message_takes_records_until_it_is_full(void **state)
{
	struct scene *scene = *state;
	struct handoff_offer offer;
	uint64_t n = 0;

	for (; !handoff_writer_is_full(&scene->writer); n++)
		assert_int_equal(put_record(scene, n + 1, (n + 1) % 2 + 1, "x", 1), 0);
	assert_int_equal(n, HANDOFF_RECORDS_MAX);
	send_and_receive(scene);
	assert_int_equal(handoff_offer_read(&offer, scene->data, scene->len, scene->fds, scene->n_fds), 0);
	assert_int_equal(offer.n, HANDOFF_RECORDS_MAX);
	assert_true(offer.full);
	for (uint64_t i = 0; i < n; i++)
		check_record(scene, &offer.record[i], i + 1, (i + 1) % 2 + 1, "x", 1);
	handoff_offer_done(&offer);
}

/* However many records of whatever kind: a message that was not full before the last one is never too long to be received. */
static void
fullest_message_can_be_received(void **state)
{
	static char bytes[HANDOFF_INLINE_MAX];
	struct scene *scene = *state;
	struct handoff_offer offer;
	uint64_t n = 0;

	while (!handoff_writer_is_full(&scene->writer))
		assert_int_equal(put_record(scene, ++n, HANDOFF_RECORD_FDS, bytes, sizeof(bytes) - 20), 0);
	send_and_receive(scene);
	assert_int_equal(handoff_offer_read(&offer, scene->data, scene->len, scene->fds, scene->n_fds), 0);
	assert_int_equal(offer.n, n);
	assert_true(offer.full);
	handoff_offer_done(&offer);
	for (n = 0; !handoff_writer_is_full(&scene->writer);) /* each with a memfd, too */
		assert_int_equal(put_record(scene, ++n, HANDOFF_RECORD_FDS, bytes, sizeof(bytes)), 0);
	send_and_receive(scene);
	assert_int_equal(handoff_offer_read(&offer, scene->data, scene->len, scene->fds, scene->n_fds), 0);
	assert_int_equal(offer.n, n);
	assert_true(offer.full);
	handoff_offer_done(&offer);
}

static void
large_state_comes_whole(void **state)
{
	static const size_t sizes[] = { HANDOFF_INLINE_MAX - 30, HANDOFF_INLINE_MAX, 1000000 };
	static char bytes[1000000];
	struct scene *scene = *state;
	struct handoff_offer offer;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31 + i / 97);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(put_record(scene, i, 2, bytes, sizes[i]), 0);
		assert_int_equal(put_record(scene, i + 10, 1, "afterwards", 10), 0);
		send_and_receive(scene);
		assert_int_equal(
			handoff_offer_read(&offer, scene->data, scene->len, scene->fds, scene->n_fds), 0);
		check_record(scene, &offer.record[0], i, 2, bytes, sizes[i]);
		check_record(scene, &offer.record[1], i + 10, 1, "afterwards", 10);
		handoff_offer_done(&offer);
		assert_int_equal(count_fds(), scene->fds_before);
	}
}

static void
what_is_too_large_is_not_offered(void **state)
{
	struct scene *scene = *state;
	size_t half = HANDOFF_LARGE_MAX / 2 + 1;
	cleanup_free char *bytes = calloc(1, HANDOFF_LARGE_MAX + 1);

	assert_int_equal(put_record(scene, 1, 1, bytes, HANDOFF_LARGE_MAX + 1), -EMSGSIZE);
	handoff_writer_begin(&scene->writer, 2);
	handoff_put_fd(&scene->writer, scene->given[0]);
	handoff_writer_service(&scene->writer);
	handoff_put_bytes(&scene->writer, TAG_BYTES, bytes, half);
	handoff_put_bytes(&scene->writer, TAG_BYTES, bytes, half);
	assert_int_equal(handoff_writer_end(&scene->writer), -EMSGSIZE);
	assert_int_equal(scene->writer.n_records, 0);
	assert_int_equal(scene->writer.n_fds, 0);
}

/* A service that forgets to say where its fields begin can't have them moved out: better refused here than lost on the way. */
static void
what_fits_no_message_is_not_offered(void **state)
{
	static char bytes[HANDOFF_MESSAGE_MAX];
	struct scene *scene = *state;

	handoff_writer_begin(&scene->writer, 1);
	handoff_put_fd(&scene->writer, scene->given[0]);
	handoff_put_bytes(&scene->writer, TAG_BYTES, bytes, sizeof(bytes));
	assert_int_equal(handoff_writer_end(&scene->writer), -EMSGSIZE);
	assert_int_equal(scene->writer.n_records, 0);
}

static void
too_many_descriptors_are_an_error_of_the_record(void **state)
{
	struct scene *scene = *state;
	struct handoff_offer offer;

	assert_int_equal(put_record(scene, 1, 1, "first", 5), 0);
	handoff_writer_begin(&scene->writer, 2);
	for (size_t i = 0; i <= HANDOFF_RECORD_FDS; i++)
		handoff_put_fd(&scene->writer, scene->given[0]);
	assert_int_equal(handoff_writer_end(&scene->writer), -E2BIG);
	assert_int_equal(put_record(scene, 3, 1, "third", 5), 0);
	send_and_receive(scene);
	assert_int_equal(scene->n_fds, 2);
	assert_int_equal(handoff_offer_read(&offer, scene->data, scene->len, scene->fds, scene->n_fds), 0);
	assert_int_equal(offer.n, 2);
	check_record(scene, &offer.record[0], 1, 1, "first", 5);
	check_record(scene, &offer.record[1], 3, 1, "third", 5);
	handoff_offer_done(&offer);
}

static void
record_that_is_taken_back_leaves_nothing(void **state)
{
	struct scene *scene = *state;
	struct handoff_offer offer;

	handoff_writer_begin(&scene->writer, 1);
	handoff_put_fd(&scene->writer, scene->given[0]);
	handoff_put_number(&scene->writer, TAG_NUMBER, 1);
	handoff_writer_cancel(&scene->writer);
	assert_int_equal(put_record(scene, 2, 1, "second", 6), 0);
	send_and_receive(scene);
	assert_int_equal(handoff_offer_read(&offer, scene->data, scene->len, scene->fds, scene->n_fds), 0);
	assert_int_equal(offer.n, 1);
	check_record(scene, &offer.record[0], 2, 1, "second", 6);
	handoff_offer_done(&offer);
}

/* ---- damage ---- */

/* Reads all that an offer has. */
static void
use_up(struct handoff_offer *offer)
{
	struct handoff_field field;

	for (size_t i = 0; i < offer->n; i++) {
		assert_in_range(offer->record[i].n_fds, 1, HANDOFF_RECORD_FDS);
		for (size_t j = 0; j < offer->record[i].n_fds; j++)
			assert_true(fcntl(offer->record[i].fd[j], F_GETFD) >= 0);
		while (handoff_next(&offer->record[i], &field) > 0)
			for (size_t j = 0; j < field.len; j++)
				(void)*((const volatile char *)field.data + j);
	}
}

/* Reads the bytes, in memory that ends with them, with copies of the descriptors. What handoff_offer_read said. */
static int
read_copy(struct scene *scene, const unsigned char *data, size_t len, size_t n_fds)
{
	cleanup_free unsigned char *copy = malloc(len > 0 ? len : 1);
	struct handoff_offer offer;
	int fds[SOCKET_FDS_MAX], r;

	memcpy(copy, data, len);
	for (size_t i = 0; i < n_fds; i++)
		fds[i] = fcntl(scene->fds[i % scene->n_fds], F_DUPFD_CLOEXEC, 3);
	r = handoff_offer_read(&offer, copy, len, fds, n_fds);
	if (r == 0) {
		use_up(&offer);
		handoff_offer_done(&offer);
	}
	return r;
}

/* A message to damage: two records of several fields, one with two descriptors, one with a memfd. */
static void
make_victim(struct scene *scene)
{
	static char bytes[HANDOFF_INLINE_MAX];

	assert_int_equal(put_record(scene, 1, 2, "some bytes", 10), 0);
	assert_int_equal(put_record(scene, 2, 1, bytes, sizeof(bytes)), 0);
	send_and_receive(scene);
	assert_int_equal(scene->n_fds, 4);
	assert_int_equal(read_copy(scene, scene->data, scene->len, scene->n_fds), 0);
}

static void
truncated_offer_is_refused(void **state)
{
	struct scene *scene = *state;

	make_victim(scene);
	for (size_t len = 0; len < scene->len; len++)
		assert_int_equal(read_copy(scene, scene->data, len, scene->n_fds), -EBADMSG);
	close_fds(scene);
}

/* ... even where its header knows that it is shorter. */
static void
shortened_offer_is_refused(void **state)
{
	struct scene *scene = *state;

	make_victim(scene);
	for (size_t len = LAYOUT_HEADER; len < scene->len; len++) {
		layout_put_u32(scene->data + LAYOUT_LENGTH, len);
		assert_int_equal(read_copy(scene, scene->data, len, scene->n_fds), -EBADMSG);
	}
	close_fds(scene);
}

static void
trailing_bytes_are_refused(void **state)
{
	struct scene *scene = *state;

	make_victim(scene);
	scene->data[scene->len] = 0;
	assert_int_equal(read_copy(scene, scene->data, scene->len + 1, scene->n_fds), -EBADMSG);
	layout_put_u32(scene->data + LAYOUT_LENGTH, scene->len + 1);
	assert_int_equal(read_copy(scene, scene->data, scene->len + 1, scene->n_fds), -EBADMSG);
	close_fds(scene);
}

/* Each single bit: no crash, no descriptor left, and all of the header is looked at. */
static void
flipped_bits_do_no_harm(void **state)
{
	struct scene *scene = *state;
	size_t refused = 0;

	make_victim(scene);
	for (size_t bit = 0; bit < scene->len * 8; bit++) {
		int r;

		scene->data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		r = read_copy(scene, scene->data, scene->len, scene->n_fds);
		scene->data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_true(r == 0 || r == -EBADMSG || r == -EPROTO);
		if (bit / 8 < LAYOUT_HEADER)
			assert_true(r < 0);
		refused += r < 0;
	}
	assert_in_range(refused, LAYOUT_HEADER * 8, scene->len * 8);
	close_fds(scene);
}

static void
wrong_counts_are_refused(void **state)
{
	static const uint32_t counts[] = { 0, 1, 3, HANDOFF_RECORDS_MAX, HANDOFF_RECORDS_MAX + 1,
		UINT32_MAX };
	struct scene *scene = *state;

	make_victim(scene);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		layout_put_u32(scene->data + LAYOUT_COUNT, counts[i]);
		assert_int_equal(read_copy(scene, scene->data, scene->len, scene->n_fds), -EBADMSG);
	}
	close_fds(scene);
}

static void
wrong_number_of_descriptors_is_refused(void **state)
{
	struct scene *scene = *state;

	make_victim(scene);
	for (size_t n = 0; n <= SOCKET_FDS_MAX; n++)
		if (n != scene->n_fds)
			assert_int_equal(read_copy(scene, scene->data, scene->len, n), -EBADMSG);
	/* a record that has none, or more than a record may have */
	layout_put_u16(scene->data + LAYOUT_HEADER + LAYOUT_RECORD_FDS, 0);
	assert_int_equal(read_copy(scene, scene->data, scene->len, 2), -EBADMSG);
	layout_put_u16(scene->data + LAYOUT_HEADER + LAYOUT_RECORD_FDS, HANDOFF_RECORD_FDS + 2);
	assert_int_equal(read_copy(scene, scene->data, scene->len, HANDOFF_RECORD_FDS + 4), -EBADMSG);
	close_fds(scene);
}

static void
another_version_is_told_apart(void **state)
{
	struct scene *scene = *state;

	make_victim(scene);
	layout_put_u16(scene->data + LAYOUT_VERSION, HANDOFF_VERSION + 1);
	assert_int_equal(read_copy(scene, scene->data, scene->len, scene->n_fds), -EPROTO);
	close_fds(scene);
}

/* ---- memfds that are none ---- */

/* What reading the second field of a record says whose state is in this descriptor. */
static int
read_large_from(struct scene *scene, int memfd, uint64_t claimed)
{
	struct handoff_writer *w = &scene->writer;
	struct handoff_offer offer;
	struct handoff_field field;
	int r;

	handoff_writer_begin(w, 1);
	handoff_put_fd(w, scene->given[0]);
	if (memfd >= 0)
		handoff_put_fd(w, memfd);
	handoff_put_number(w, TAG_NUMBER, 3);
	handoff_put_number(w, HANDOFF_TAG_LARGE, claimed);
	assert_int_equal(handoff_writer_end(w), 0);
	send_and_receive(scene);
	r = handoff_offer_read(&offer, scene->data, scene->len, scene->fds, scene->n_fds);
	if (r < 0)
		return r;
	assert_int_equal(offer.record[0].n_fds, 1); /* the service never sees it */
	assert_int_equal(handoff_next(&offer.record[0], &field), 1);
	r = handoff_next(&offer.record[0], &field);
	if (r < 0)
		assert_true(handoff_next(&offer.record[0], &field) <= 0);
	handoff_offer_done(&offer);
	return r;
}

/* A memfd with one field, and some seals. */
static int
make_memfd(int seals)
{
	unsigned char field[LAYOUT_FIELD + 4] = { 0 };
	int fd = memfd_create("unit-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	layout_put_u16(field + LAYOUT_FIELD_TAG, TAG_BYTES);
	layout_put_u32(field + LAYOUT_FIELD_LENGTH, 4);
	assert_int_equal(write(fd, field, sizeof(field)), sizeof(field));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void
memfd_must_be_sealed(void **state)
{
	static const struct {
		int seals, expected;
	} cases[] = {
		{ F_SEAL_WRITE | F_SEAL_SHRINK, 1 },
		{ F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, 1 },
		{ F_SEAL_WRITE, -EBADMSG },
		{ F_SEAL_SHRINK, -EBADMSG },
		{ F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK, -EBADMSG },
		{ 0, -EBADMSG },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_fd int fd = make_memfd(cases[i].seals);

		assert_int_equal(read_large_from(scene, fd, LAYOUT_FIELD + 4), cases[i].expected);
	}
}

static void
memfd_must_be_as_long_as_was_said(void **state)
{
	static const uint64_t wrong[] = { 0, 1, LAYOUT_FIELD + 3, LAYOUT_FIELD + 5, HANDOFF_LARGE_MAX,
		HANDOFF_LARGE_MAX + 1, UINT64_MAX };
	cleanup_fd int fd = make_memfd(F_SEAL_WRITE | F_SEAL_SHRINK);

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(read_large_from(*state, fd, wrong[i]), -EBADMSG);
}

static void
other_descriptors_are_no_memfd(void **state)
{
	struct scene *scene = *state;
	cleanup_fd int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_int_equal(read_large_from(scene, -1, 10), -EBADMSG);
	assert_int_equal(read_large_from(scene, scene->in, 10), -EBADMSG);
	assert_int_equal(read_large_from(scene, file, 10), -EBADMSG);
}

/* Fields that go on in a memfd whose fields go on in a memfd: nobody writes that. */
static void
memfd_in_a_memfd_is_refused(void **state)
{
	struct scene *scene = *state;
	unsigned char field[LAYOUT_FIELD + 8];
	uint64_t le = htole64(sizeof(field));
	cleanup_fd int fd = -1;

	layout_put_u16(field + LAYOUT_FIELD_TAG, HANDOFF_TAG_LARGE);
	layout_put_u32(field + LAYOUT_FIELD_LENGTH, 8);
	memcpy(field + LAYOUT_FIELD, &le, sizeof(le));
	fd = fd_sealed_memfd("unit-test", field, sizeof(field));
	assert_int_equal(read_large_from(scene, fd, sizeof(field)), -EBADMSG);
}

/* ---- answers ---- */

static void
answers_come_whole(void **state)
{
	struct handoff_answer answers[HANDOFF_RECORDS_MAX], read[HANDOFF_RECORDS_MAX];
	unsigned char data[HANDOFF_MESSAGE_MAX];
	size_t len;

	(void)state;
	for (size_t n = 1; n <= HANDOFF_RECORDS_MAX; n++) {
		for (size_t i = 0; i < n; i++)
			answers[i] = (struct handoff_answer){ .id = UINT64_MAX - i, .adopted = i % 3 == 0 };
		len = handoff_answers_write(data, answers, n);
		assert_int_equal(handoff_answers_read(read, data, len), n);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(read[i].id, answers[i].id);
			assert_int_equal(read[i].adopted, answers[i].adopted);
		}
	}
}

static void
damaged_answers_are_refused(void **state)
{
	struct handoff_answer answers[2] = { { 1, true }, { 2, false } }, read[HANDOFF_RECORDS_MAX];
	unsigned char data[HANDOFF_MESSAGE_MAX];
	size_t len = handoff_answers_write(data, answers, 2);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(handoff_answers_read(read, data, cut), -EBADMSG);
	assert_int_equal(handoff_answers_read(read, data, len + 1), -EBADMSG);
	for (size_t bit = 0; bit < LAYOUT_HEADER * 8; bit++) {
		data[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_true(handoff_answers_read(read, data, len) < 0);
		data[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	layout_put_u16(data + LAYOUT_HEADER + LAYOUT_ANSWER_VERDICT, 2); /* neither adopted nor refused */
	assert_int_equal(handoff_answers_read(read, data, len), -EBADMSG);
}

static void
offer_is_no_answer(void **state)
{
	struct scene *scene = *state;
	struct handoff_answer answer = { 1, true }, read[HANDOFF_RECORDS_MAX];
	unsigned char data[HANDOFF_MESSAGE_MAX];
	size_t len = handoff_answers_write(data, &answer, 1);

	make_victim(scene);
	assert_int_equal(handoff_answers_read(read, scene->data, scene->len), -EBADMSG);
	assert_int_equal(read_copy(scene, data, len, 1), -EBADMSG);
	close_fds(scene);
}

#define handoff_test(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		handoff_test(one_record_comes_whole),
		handoff_test(message_takes_records_until_it_is_full),
		handoff_test(fullest_message_can_be_received),
		handoff_test(large_state_comes_whole),
		handoff_test(what_is_too_large_is_not_offered),
		handoff_test(what_fits_no_message_is_not_offered),
		handoff_test(too_many_descriptors_are_an_error_of_the_record),
		handoff_test(record_that_is_taken_back_leaves_nothing),
		handoff_test(truncated_offer_is_refused),
		handoff_test(shortened_offer_is_refused),
		handoff_test(trailing_bytes_are_refused),
		handoff_test(flipped_bits_do_no_harm),
		handoff_test(wrong_counts_are_refused),
		handoff_test(wrong_number_of_descriptors_is_refused),
		handoff_test(another_version_is_told_apart),
		handoff_test(memfd_must_be_sealed),
		handoff_test(memfd_must_be_as_long_as_was_said),
		handoff_test(other_descriptors_are_no_memfd),
		handoff_test(memfd_in_a_memfd_is_refused),
		cmocka_unit_test(answers_come_whole),
		cmocka_unit_test(damaged_answers_are_refused),
		handoff_test(offer_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
