"""What the worker's process may do: limits of the kernel, and calls that it answers with EPERM.

Nothing of a query can ask for a file, a connection or a program; this is for what DuckDB or Python
might be talked into. Limits hold wherever Linux runs; the filter of calls on x86-64 and ARM.

Spec: getrlimit(2), prctl(2), seccomp(2).
"""

from __future__ import annotations

import ctypes
import platform
import resource
import signal
import struct
from typing import Final

# Beside what DuckDB may take: the interpreter, its libraries, stacks and arenas of threads.
BESIDE: Final = 1536 << 20
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_FILTER, _ALL_THREADS = 1, 1  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001
_LOAD, _JUMP_EQUAL, _JUMP_FROM, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32 = 0x40000000  # from here on x86-64 has its calls once more, for programs of its x32 kind
# By machine: the call seccomp, the architecture's number, and calls that make sockets, run
# programs, look into processes, or change what is on disks.
_CALLS: Final = {
    "x86_64": (317, 0xC000003E, (41, 42, 49, 53, 57, 58, 59, 62, 76, 77, 82, 83, 84, 85, 86,
                            87, 88, 90, 91, 92, 94, 101, 133, 161, 165, 200, 234, 258, 259, 260,
                            263, 264, 265, 266, 268, 272, 308, 310, 311, 316, 321, 322, 425, 434)),
    "aarch64": (277, 0xC00000B7, (33, 34, 35, 36, 37, 38, 40, 45, 46, 51, 52, 53, 54, 55, 97, 117,
                                  129, 130, 131, 198, 199, 200, 203, 221, 268, 270, 271, 276, 280,
                                  281, 425, 434)),
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def limit(*, memory: int, seconds: int) -> None:
    """Hold this process to its limits, and have it end with the one that started it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory + BESIDE, memory + BESIDE))


def close() -> bool:
    """Forbid calls for good; whether that is done. Everything that is to run is loaded by now."""
    found = _CALLS.get(platform.machine())
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if found is None or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    seccomp, architecture, calls = found
    code = program(architecture, calls)
    buffer = ctypes.create_string_buffer(code, len(code))
    told = _Program(len(code) // 8, ctypes.addressof(buffer))
    return not libc.syscall(seccomp, _FILTER, _ALL_THREADS, ctypes.byref(told))


def program(architecture: int, calls: tuple[int, ...]) -> bytes:
    """The filter, as the kernel's instructions: the architecture's own calls but for these."""
    lines = [
        (_LOAD, 0, 0, 4),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _EPERM),
        (_LOAD, 0, 0, 0),
    ]
    count = len(calls)
    lines.append((_JUMP_FROM, count + 1, 0, _X32))
    lines += [(_JUMP_EQUAL, count - place, 0, number) for place, number in enumerate(calls)]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
