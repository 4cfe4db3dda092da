"""Run a command and write to a file what it took: seconds, seconds of CPU, peak MiB, exit code.

A program of its own because of the peak: the kernel counts to a child what its parent had resident
when it was made, so the parent has to be small. It imports next to nothing for the same reason.
"""

import os
import sys
import time


def main() -> None:
    """`python -S -E spawn.py FILE COMMAND...`; the streams are the command's."""
    report, *command = sys.argv[1:]
    began = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    cpu = usage.ru_utime + usage.ru_stime
    with open(report, "w") as file:
        code = os.waitstatus_to_exitcode(status)
        file.write(f"{seconds} {cpu} {usage.ru_maxrss / 1024} {code}")


if __name__ == "__main__":
    main()
