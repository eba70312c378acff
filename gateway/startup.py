"""What a start may fail by, and what it needs first."""

import os
from pathlib import Path


class CannotStart(Exception):
    """The process cannot start, for a reason that its operator can mend.

    The message is one line: what is wrong, and what would be right. It is printed as it is, without
    a traceback.
    """


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it that are missing; no mode of one that is there is changed.

    As root others may pass through the new ones, whatever the umask says: the embedded servers run
    as another account, and their data lie in there.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            each.chmod(each.stat().st_mode | 0o011)
