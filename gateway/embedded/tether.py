"""Becomes another program that ends when its parent does, and that is not root.

A script of its own between the gateway and each server, run as

    python -I -S tether.py PARENT DEATH_SIGNAL UID GID PROGRAM [ARGUMENT …]

because all of it has to happen after the fork, where a process with threads may run no Python; and
in this order: Linux forgets the death signal when the user changes.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with_parent(death_signal: int) -> None:
    """Get `death_signal` when the thread that started this process ends (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)


def main(arguments: list[str]) -> None:
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    end_with_parent(death_signal)
    if os.getppid() != parent:
        sys.exit("the parent was gone before its server began")
    os.umask(0o077)
    os.chdir("/")
    os.execv(command[0], command)  # noqa: S606 (no shell is what is wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
