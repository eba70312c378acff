"""The image and compose.yaml, without an engine: what can be read from them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import read_settings, unknown_settings
from tests.deploy.dockerfile import Instruction, stages
from tests.deploy.proxies import HAPROXY_CONFIGURATION
from tests.nodes import STOP_SECONDS

PROJECT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = PROJECT / "deploy" / "container" / "Dockerfile"
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
OURS = {name for name, service in COMPOSE["services"].items() if "build" in service}
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")
SECRET = re.compile(r"password|secret|token|key", re.IGNORECASE)


def final_stage() -> list[Instruction]:
    return stages(DOCKERFILE.read_text())[-1]


def test_the_dockerfile_has_nothing_that_hadolint_minds() -> None:
    """Not even a hint."""
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint has no wheel for this machine")
    linted = subprocess.run(
        [program, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_image_runs_as_nobody_special() -> None:
    """By number, so that a cluster can tell; no step after that is another's, and nothing of the build is left."""
    instructions = final_stage()
    said = [(each.name, each.words) for each in instructions]
    assert [words for name, words in said if name == "USER"] == [["10001:10001"]]
    copies = [words for name, words in said if name == "COPY"]
    assert copies == [["--from=build", "/opt/vernissage", "/opt/vernissage"]]
    names = [name for name, _ in said]
    assert names.index("USER") > max(n for n, name in enumerate(names) if name in ("RUN", "COPY"))
    assert not any(SECRET.search(" ".join(words)) for name, words in said if name in ("ENV", "ARG"))


def test_the_image_is_made_of_pinned_files() -> None:
    """Everything from the registry by its hash; base images by version, never `latest`."""
    for stage in stages(DOCKERFILE.read_text()):
        assert re.fullmatch(r"[\w/]+:\d[\w.-]+", stage[0].words[0])
        for each in stage:
            if each.name == "RUN" and "pip install" in each.text:
                for command in each.text.split("&&"):
                    if "pip install" in command:
                        assert "--require-hashes" in command or "--no-index" in command


def test_only_what_is_copied_is_sent() -> None:
    """The build's context leaves out tests, data, `.env` and what Git has."""
    lines = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    sent = {line[1:].partition("/")[0] for line in lines if line.startswith("!")}
    copied = {
        word.partition("/")[0]
        for stage in stages(DOCKERFILE.read_text())
        for each in stage
        if each.name == "COPY" and not each.words[0].startswith("--from")
        for word in each.words[:-1]
    }
    assert "*" in lines
    assert sent == copied
    assert all((PROJECT / each).exists() for each in copied)


def test_compose_has_no_default_secret() -> None:
    """Whatever is secret comes from the environment, and has to be there."""
    for name, service in COMPOSE["services"].items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert REQUIRED.fullmatch(value), (name, variable)
            if "://" in value and "@" in value:
                assert REQUIRED.search(value.partition("@")[0]), (name, variable)
    text = (PROJECT / "compose.yaml").read_text()
    assert re.findall(r"\$\{\w+(?!\w*:\?)[^}]*\}", text) == []
    page = (PROJECT / "docs" / "operations.md").read_text().partition("## With Compose")[2]
    for variable in set(REQUIRED.findall(text)):
        assert variable in page.partition("\n## ")[0], variable


def test_compose_starts_three_gateways_that_find_each_other() -> None:
    """Their settings are complete for production; the proxy is the one that they trust."""
    gateways = sorted(OURS - {"migrate"})
    assert len(gateways) == 3
    proxy = COMPOSE["services"]["proxy"]
    for number, name in enumerate(gateways, 1):
        given = COMPOSE["services"][name]["environment"]
        environ = {
            variable: REQUIRED.sub("0123456789abcdef" * 2 + "x", str(value))
            for variable, value in given.items()
        }
        assert unknown_settings(environ) == []
        settings = read_settings(environ)
        assert settings.production
        assert settings.node_url == f"http://{name}:8080"
        assert settings.cluster_secret
        assert proxy["environment"][f"MACHINE_{number}"] == f"{name}:{settings.port}"
        address = proxy["networks"]["inside"]["ipv4_address"]
        assert [str(each) for each in settings.trusted_proxies] == [f"{address}/32"]
    assert f"./{HAPROXY_CONFIGURATION.relative_to(PROJECT)}" in proxy["volumes"][0]


def test_containers_are_shut_off() -> None:
    """A read-only root, no capabilities, no way to get any, and ports of the proxy alone."""
    for name, service in COMPOSE["services"].items():
        assert re.search(r":\d", service["image"]) or name in OURS
        assert ("ports" in service) == (name == "proxy")
        if name == "postgres":  # which sets up its folder as root, and then gives that up
            continue
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_containers_have_the_time_to_drain() -> None:
    """Longer than the gateway takes at most."""
    for name in OURS:
        assert int(COMPOSE["services"][name]["stop_grace_period"].rstrip("s")) > STOP_SECONDS
    [check] = [each for each in final_stage() if each.name == "HEALTHCHECK"]
    assert "/healthz" in check.text


UNIT = PROJECT / "deploy" / "systemd" / "vernissage.service"


@pytest.fixture
def systemd_analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on this machine")
    return program


def test_systemd_understands_the_unit(systemd_analyze: str, tmp_path: Path) -> None:
    """Every line of it; what it starts is only there where it is installed."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/vernissage/bin/vernissage", "/bin/true"))
    said = subprocess.run(
        [systemd_analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_the_unit_is_hardened(systemd_analyze: str) -> None:
    """Of ten points of exposure, as systemd counts them, less than one and a half are left."""
    said = subprocess.run(
        [systemd_analyze, "security", "--offline=yes", "--threshold=15", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_COLORS": "0"},
    )
    assert said.returncode == 0, said.stdout[-500:]


def test_the_unit_leaves_time_to_drain() -> None:
    """And a signal only for the launcher, which knows what to do with its workers."""
    text = UNIT.read_text()
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(seconds) > STOP_SECONDS
    assert "\nKillMode=mixed\n" in text
