"""A Dockerfile, taken apart as far as ours goes: stages of instructions, continued lines joined."""

import json
import re
from typing import NamedTuple


class Instruction(NamedTuple):
    """`RUN pip install …` is name RUN, text `pip install …`."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments, of the form with brackets too."""
        if self.text.startswith("["):
            words: list[str] = json.loads(self.text)
            return words
        return self.text.split()


def stages(dockerfile: str) -> list[list[Instruction]]:
    """The instructions of each stage, FROM first."""
    lines = re.sub(r"\\\n", " ", dockerfile).splitlines()
    found: list[list[Instruction]] = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        name, _, text = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append(Instruction(name, text.strip()))
    return found
