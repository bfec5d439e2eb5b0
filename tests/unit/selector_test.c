/*
 * The program that chooses among the sockets of a group: interpreted here for every random number modulo, and
 * taken by the kernel.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "master/selector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { ROOM = SELECTOR_SKIP_MAX * 2 + 3 };

/* The few instructions that the selector uses, with `random` for the kernel's random number. */
static uint32_t
run(const struct sock_filter *program, size_t len, uint32_t random)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < len; pc++) {
		const struct sock_filter *i = &program[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_int_equal(i->k, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
			a = random;
			break;
		case BPF_ALU | BPF_MOD | BPF_K:
			a %= i->k;
			break;
		case BPF_ALU | BPF_ADD | BPF_K:
			a += i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_A:
			return a;
		default:
			fail();
		}
	}
	fail();
	return 0;
}

static void
each_live_socket_is_chosen_once_a_round(void **state)
{
	static struct sock_filter program[ROOM];

	(void)state;
	for (unsigned n = 1; n <= 10; n++)
		for (unsigned mask = 1; mask < 1u << n; mask++) {
			unsigned chosen[10] = { 0 }, n_live = (unsigned)__builtin_popcount(mask);
			bool live[10];
			size_t len;

			for (unsigned i = 0; i < n; i++)
				live[i] = mask >> i & 1;
			len = selector_compile(live, n, program, ROOM);
			assert_true(len > 0);
			for (uint32_t random = 0; random < n_live; random++)
				chosen[run(program, len, random)]++;
			for (unsigned i = 0; i < n; i++)
				assert_int_equal(chosen[i], live[i]);
		}
}

static void
nobody_to_choose_or_no_room_is_no_program(void **state)
{
	static struct sock_filter program[ROOM];
	bool live[4] = { false, true, false, false };

	(void)state;
	assert_int_equal(selector_compile(live, 1, program, ROOM), 0);
	assert_int_equal(selector_compile(live, 4, program, 8), 0);
	assert_int_equal(selector_compile(live, 4, program, 9), 9);
}

static int
listen_in_group(struct sockaddr_in *address)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*address);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

static int
connect_once(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

static void
the_kernel_goes_by_it(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const bool live[3] = { true, false, true };
	int listener[3], accepted[3] = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		listener[i] = listen_in_group(&address);
	assert_int_equal(selector_attach(listener[0], live, 3), 0);
	for (int i = 0; i < 60; i++) {
		cleanup_fd int fd = connect_once(&address);

		assert_true(fd >= 0);
	}
	for (int i = 0; i < 3; i++) {
		int fd;

		while ((fd = accept4(listener[i], NULL, NULL, SOCK_CLOEXEC)) >= 0) {
			accepted[i]++;
			fd_close(&fd);
		}
		fd_close(&listener[i]);
	}
	print_message("accepted: %d %d %d\n", accepted[0], accepted[1], accepted[2]);
	assert_int_equal(accepted[0] + accepted[2], 60);
	assert_int_equal(accepted[1], 0);
	assert_true(accepted[0] > 0 && accepted[2] > 0); /* by chance not so: 2 in 2^60 */
}

/* Who comes is for the wildcard then, who is in the queue stays there. */
static void
a_hidden_socket_gets_nobody_new(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cleanup_fd int specific = listen_in_group(&address);
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = address.sin_port };
	cleanup_fd int wildcard = listen_in_group(&any);
	cleanup_fd int before = connect_once(&address), after = -1, accepted = -1;

	(void)state;
	assert_int_equal(selector_hide(specific), 0);
	after = connect_once(&address);
	assert_true(before >= 0 && after >= 0);
	accepted = accept4(wildcard, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	fd_close(&accepted);
	accepted = accept4(specific, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	assert_int_equal(accept4(specific, NULL, NULL, SOCK_CLOEXEC), -1);
	assert_int_equal(accept4(wildcard, NULL, NULL, SOCK_CLOEXEC), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_live_socket_is_chosen_once_a_round),
		cmocka_unit_test(nobody_to_choose_or_no_room_is_no_program),
		cmocka_unit_test(the_kernel_goes_by_it),
		cmocka_unit_test(a_hidden_socket_gets_nobody_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
