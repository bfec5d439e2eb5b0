/*
 * Looks whether a hosted program accepts connections: `gracefuld-worker --accepting PID INODE`, run by the master as the program's
 * account, since only that may look.
 */
#ifndef WORKER_LOOKOUT_H
#define WORKER_LOOKOUT_H

/*
 * Waits until a process of that session waits for connections on the listening socket with that inode. An exit status: 0 when it does;
 * 69 (EX_UNAVAILABLE) when the first process of the session, or who asked, has gone; 64 when the arguments are none.
 */
int lookout_run(const char *session, const char *inode);

#endif
