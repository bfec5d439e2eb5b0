/*
 * Which sockets of a SO_REUSEPORT group get new connections.
 */
#include "master/selector.h"

#include "base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/socket.h>

size_t
selector_compile(const bool *live, unsigned n, struct sock_filter *program, size_t room)
{
	size_t len = 0, n_live = 0;

	for (unsigned i = 0; i < n; i++)
		n_live += live[i];
	if (n_live == 0 || (n - n_live) * 2 + 3 > room)
		return 0;
	program[len++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
	program[len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, (uint32_t)n_live);
	/* the k-th live one has index k plus the skipped ones before it: step over them in ascending order */
	for (unsigned i = 0; i < n; i++) {
		if (live[i])
			continue;
		program[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, i, 0, 1);
		program[len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1);
	}
	program[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	return len;
}

int
selector_attach(int fd, const bool *live, unsigned n)
{
	size_t room = SELECTOR_SKIP_MAX * 2 + 3;
	cleanup_free struct sock_filter *program = calloc(room, sizeof(*program));
	struct sock_fprog prog = { .filter = program };

	if (!program)
		return -ENOMEM;
	prog.len = (unsigned short)selector_compile(live, n, program, room);
	if (prog.len == 0)
		return -E2BIG;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog)) < 0)
		return -errno;
	return 0;
}

/*
 * The socket is bound to a network interface that does not exist (the kernel does not ask), so that no packet finds it any more. Any
 * process may do that once; to take it back would need CAP_NET_RAW.
 */
int
selector_hide(int fd)
{
	const int nowhere = INT_MAX;

	return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &nowhere, sizeof(nowhere)) < 0 ? -errno : 0;
}
