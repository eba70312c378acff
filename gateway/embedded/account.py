"""Which account the servers run as, and which folders it can reach."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """A Unix account by its numbers."""

    uid: int
    gid: int

    @classmethod
    def of_servers(cls) -> "Account":
        """Who runs the servers: ourselves, or `nobody` where we are root, which PostgreSQL will not be.

        That one is there on every system, so that no account has to be made.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    @classmethod
    def owning(cls, folder: Path) -> "Account":
        """The account to which `folder` belongs."""
        found = folder.stat()
        return cls(found.st_uid, found.st_gid)

    def reaches(self, folder: Path) -> bool:
        """Whether it may pass through `folder` and every folder above it, by their mode bits."""
        path = folder.resolve()
        return all(self._may_pass(above) for above in (path, *path.parents))

    def _may_pass(self, folder: Path) -> bool:
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)

    def make_folder(self, folder: Path) -> None:
        """Make `folder`, for this account's eyes only."""
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(folder, self.uid, self.gid)

    def write(self, path: Path, text: str) -> None:
        """Put a new file in the place of `path`, for this account's eyes only.

        As root we never write through what the account may have put there, such as a symbolic link.
        """
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            if os.geteuid() == 0:
                os.fchown(descriptor, self.uid, self.gid)
            file.write(text)
