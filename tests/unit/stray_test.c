/*
 * Children that nobody waits for are reaped, and those that somebody waits for are neither taken away nor even looked at.
 */
#include "master/stray.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 32

/* Stands in the way of libc's: how many processes were asked after. */
static unsigned n_asked;

pid_t
getsid(pid_t pid)
{
	n_asked++;
	return (pid_t)syscall(SYS_getsid, pid);
}

/* A child of this session, or as hosted programs are, of its own; it lives until it is killed, or ends at once. */
static pid_t
start(bool own_session, bool lives)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* of a test that fails nothing stays behind */
		if (own_session)
			setsid();
		close(ready[0]);
		close(ready[1]);
		while (lives)
			pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return pid;
}

/* Waits until it has ended, and does not reap it. */
static void
wait_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static bool
is_there(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool
is_this(pid_t pid, void *arg)
{
	return pid == *(const pid_t *)arg;
}

static bool
is_nobody(pid_t pid, void *arg)
{
	(void)pid, (void)arg;
	return false;
}

static void
those_who_live_cost_nothing(void **state)
{
	pid_t workers[WORKERS];

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i] = start(i % 2 == 0, true);
	n_asked = 0;
	stray_reap_adopted(is_nobody, NULL);
	assert_true(n_asked <= 1); /* for our own session */
	for (unsigned i = 0; i < WORKERS; i++)
		end(workers[i]);
}

static void
all_who_are_adopted_and_have_ended_are_reaped(void **state)
{
	pid_t lives = start(true, true), ended[WORKERS];

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		wait_ended(ended[i] = start(true, false));
	n_asked = 0;
	stray_reap_adopted(is_nobody, NULL);
	assert_true(n_asked <= 1 + WORKERS);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_false(is_there(ended[i]));
	assert_true(is_there(lives));
	end(lives);
}

/* In either order, since the kernel names only one. */
static void
one_who_is_waited_for_hides_nobody(void **state)
{
	(void)state;
	for (int known_first = 0; known_first < 2; known_first++)
		for (int hosted = 0; hosted < 2; hosted++) {
			pid_t known = known_first ? start(hosted, false) : 0, stray = start(true, false);

			if (!known_first)
				known = start(hosted, false);
			wait_ended(known);
			wait_ended(stray);
			stray_reap_adopted(hosted ? is_this : is_nobody, &known);
			assert_false(is_there(stray));
			assert_true(is_there(known));
			end(known);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_who_live_cost_nothing),
		cmocka_unit_test(all_who_are_adopted_and_have_ended_are_reaped),
		cmocka_unit_test(one_who_is_waited_for_hides_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
