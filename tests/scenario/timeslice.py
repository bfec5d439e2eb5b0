"""How long the scheduler lets a process work at a stretch, as the kernel tells it: sched_setattr(2)."""

import ctypes
import platform
import struct

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
ATTRIBUTES = struct.Struct("@IIQiIQQQ")  # struct sched_attr


def _call(numbers, pid, attributes, *more):
    return ctypes.CDLL(None).syscall(numbers.get(platform.machine(), -1), pid, attributes, *more, 0) == 0


def timeslice_ns(pid):
    """0: no slices of ordinary processes are known here."""
    attributes = ctypes.create_string_buffer(ATTRIBUTES.size)
    if not _call(SCHED_GETATTR, pid, attributes, ATTRIBUTES.size):
        return 0
    _, policy, *_, slice_ns, _, _ = ATTRIBUTES.unpack(attributes.raw)
    return slice_ns if policy in (0, 3) else 0  # SCHED_OTHER, SCHED_BATCH


def timeslices_can_be_set():
    """Not on an older kernel, nor where the system call is forbidden. (Tries it with what is there.)"""
    attributes = ctypes.create_string_buffer(ATTRIBUTES.size)
    return timeslice_ns(0) > 0 and _call(SCHED_GETATTR, 0, attributes, ATTRIBUTES.size) and _call(SCHED_SETATTR, 0, attributes)
