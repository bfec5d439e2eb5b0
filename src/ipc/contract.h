/*
 * The worker contract in one page: what a worker is born with. doc/protocol.md and gracefuld-worker(7) say
 * the same in prose.
 *
 * Listening sockets stand from descriptor 3 on, as systemd hands them over (sd_listen_fds(3)): LISTEN_FDS,
 * LISTEN_PID and LISTEN_FDNAMES, whose names are the addresses. The other descriptors follow at once; the
 * variables below name them. Standard input is /dev/null, standard output and standard error are the
 * master's. Nothing else is open.
 */
#ifndef IPC_CONTRACT_H
#define IPC_CONTRACT_H

#define CONTRACT_VERSION 1 /* of `hello` */

#define CONTRACT_LISTEN_FIRST 3 /* SD_LISTEN_FDS_START */

#define CONTRACT_ENV_LISTEN_FDS     "LISTEN_FDS"
#define CONTRACT_ENV_LISTEN_PID     "LISTEN_PID"
#define CONTRACT_ENV_LISTEN_FDNAMES "LISTEN_FDNAMES"

#define CONTRACT_ENV_CONTROL_FD "GRACEFULD_CONTROL_FD" /* pipe, master to worker: read end */
#define CONTRACT_ENV_STATUS_FD  "GRACEFULD_STATUS_FD"  /* pipe, worker to master: write end */
#define CONTRACT_ENV_CONFIG_FD  "GRACEFULD_CONFIG_FD"  /* sealed memfd: the configuration's text */
#define CONTRACT_ENV_STATS_FD   "GRACEFULD_STATS_FD"   /* memfd of one page: the counters */
#define CONTRACT_ENV_HANDOFF_FD \
	"GRACEFULD_HANDOFF_FD"                   /* SOCK_SEQPACKET: outboxes and inboxes from the master */
#define CONTRACT_ENV_SLOT       "GRACEFULD_SLOT" /* decimal, from 0 */
#define CONTRACT_ENV_GENERATION "GRACEFULD_GENERATION" /* decimal, from 1 */

#endif
