/*
 * What a worker gives up before it serves: the system calls that its service has no use for, files that it could write to, and
 * other processes. Whoever takes it over, by a mistake in a parser of ours, finds little to go on with.
 */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

/*
 * Enters it, with all threads there are, for good: `needs` are those of the service (enum service_needs). Nothing of it is due where that
 * is SERVICE_NEEDS_UNKNOWN: then only starting programs, and powers over the machine or other processes, are given up.
 *
 * 0; -EOPNOTSUPP: there is none for this processor, in this build or under this tool; other negative errno: the kernel refuses.
 */
int sandbox_enter(unsigned needs);

#endif
