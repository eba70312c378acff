"""Becomes another program that ends when the process that started it does (on Linux).

A script of its own, run as

    python -I -S leash.py PARENT PROGRAM [ARGUMENT …]

because this happens after the fork, where a process with threads may run no Python. A consumer that is killed
must not leave a program behind that goes on with a batch while another process does the next.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
NOT_FOUND = 127
"""The exit code of a program that is not there, as a shell has it."""


def main(arguments: list[str]) -> None:
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the consumer was gone before its program began")
    try:
        os.execvp(command[0], command)  # noqa: S606 (no shell is what is wanted)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    main(sys.argv[1:])
