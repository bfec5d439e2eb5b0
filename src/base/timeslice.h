/*
 * How long the scheduler lets a process work at a stretch while another is ready. The share of the processor is the same with a long slice
 * as with a short one; but when one with a short slice wakes up and has not had more than its share, one with a long slice makes room at once
 * (sched_setattr(2), sched_runtime).
 *
 * Only for processes under the ordinary policies, from Linux 6.12 on; else these do nothing. So they do where the system call is forbidden:
 * it is a courtesy, and nothing depends on it.
 */
#ifndef BASE_TIMESLICE_H
#define BASE_TIMESLICE_H

#include <sys/types.h>

/* Gives this process, and those that it will be the parent of, the longest slice that there is. Makes system calls only. */
void timeslice_lengthen(void);

/* Gives one process the slice that another one has; 0: the calling process. Of another account's takes CAP_SYS_NICE. */
void timeslice_copy(pid_t from, pid_t to);

#endif
