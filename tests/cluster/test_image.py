"""The image's very steps, in a plain folder: there is no engine to build it with."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from gateway.embedded import free_port
from tests.cluster.cluster import Cluster
from tests.deploy.dockerfile import Instruction, stages
from tests.nodes import JWT_SECRET
from tests.waiting import DEADLINE

PROJECT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = PROJECT / "deploy" / "container" / "Dockerfile"
ABSOLUTE = re.compile(r"(?<![\w.*/])/(src|build|wheel|opt/vernissage)(?![\w-])")


class Image:
    """What a Dockerfile makes, with `root` for its `/`. Accounts are not made: that needs root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self.environment |= {n: v for n, v in os.environ.items() if n.startswith("PIP_")}
        self.entry: list[str] = []
        self._folder = root

    def here(self, text: str) -> str:
        return ABSOLUTE.sub(rf"{self.root}/\1", text)

    def step(self, instruction: Instruction) -> None:
        """Do what it says."""
        name, text, words = instruction.name, self.here(instruction.text), instruction.words
        if name == "WORKDIR":
            self._folder = Path(self.here(words[0]))
            self._folder.mkdir(parents=True, exist_ok=True)
        elif name == "ENV":
            for word in text.split():
                variable, _, value = word.partition("=")
                self.environment[variable] = value.replace("$PATH", self.environment["PATH"])
        elif name == "COPY" and words[0].startswith("--from"):
            assert words[1] == words[2]  # the stages share their folder here
            assert Path(self.here(words[1])).is_dir()
        elif name == "COPY":
            self._copy(words[:-1], self._folder / words[-1], into=words[-1].endswith("/"))
        elif name == "RUN" and not text.startswith("useradd "):
            subprocess.run(
                ["/bin/sh", "-euc", text], cwd=self._folder, env=self.environment, check=True
            )
        elif name in ("ENTRYPOINT", "CMD"):
            self.entry += words

    def _copy(self, sources: list[str], target: Path, *, into: bool) -> None:
        for source in sources:
            if (PROJECT / source).is_dir():
                without = shutil.ignore_patterns("__pycache__", "peers", "results")
                shutil.copytree(PROJECT / source, target, ignore=without)
            else:
                place = target / Path(source).name if into else target
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / source, place)


async def test_its_steps_end_with_a_gateway_that_serves(cluster: Cluster, tmp_path: Path) -> None:
    """From what is copied and nothing else. It writes nothing below its root, so that may be read-only."""
    image = Image(tmp_path)
    for stage in stages(DOCKERFILE.read_text()):
        for instruction in stage:
            await asyncio.to_thread(image.step, instruction)
    before = files(tmp_path)
    port, admin_port = free_port(), free_port()
    environment = {
        **image.environment,
        "DATABASE_URL": cluster.pair.primary.url,
        "REDIS_URL": cluster.shards.url,
        "VERNISSAGE_JWT_SECRET": JWT_SECRET,
        "VERNISSAGE_PORT": str(port),
        "VERNISSAGE_ADMIN_PORT": str(admin_port),
    }
    program = shutil.which(image.entry[0], path=image.environment["PATH"])
    assert program == f"{tmp_path}/opt/vernissage/bin/vernissage"
    process = await asyncio.create_subprocess_exec(
        *(program, *image.entry[1:]),
        cwd="/tmp",  # noqa: S108 (the image's own)
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await is_ready(f"http://127.0.0.1:{admin_port}/readyz", process)
    finally:
        if process.returncode is None:
            process.terminate()
        code = await process.wait()
    assert code == 0
    assert files(tmp_path) == before


async def is_ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(3 * DEADLINE):
        while process.returncode is None:
            try:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
    pytest.fail("it ended before it was ready")


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
