"""An import contract of our own: domains keep to themselves.

import-linter has none that compares the same noun in two rooms, and a list of the domains would grow
with each that moves in. `[tool.importlinter]` in pyproject.toml takes this one.
"""

import grimp
from importlinter import Contract, ContractCheck, output

ROOMS = ("handlers", "store")


class Domains(Contract):
    """A domain sees its own modules, and what the stores of other domains publish.

    It is a package of that name in both rooms; its store publishes what `__init__` names. What belongs
    to no domain imports none: only the registry and the composition root know them all.
    """

    type_name = "domains"
    registry = "handlers"
    root = "gateway.composition"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        handlers, store = (
            {child.partition(".")[2] for child in graph.find_children(room)} for room in ROOMS
        )
        domains = handlers & store
        knows_all = {self.registry, self.root, *graph.find_children(self.root)}
        found = [
            (importer, imported)
            for importer in sorted(graph.modules - knows_all)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not _may(importer, imported, domains)
        ]
        lines = [
            f"{importer} may not import {imported} "
            f"(line {graph.get_import_details(importer=importer, imported=imported)[0]['line_number']})"
            for importer, imported in found
        ]
        return ContractCheck(kept=not lines, metadata={"lines": lines})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["lines"]:
            output.print_error(line, bold=False)


def _may(importer: str, imported: str, domains: set[str]) -> bool:
    theirs = _domain(imported, domains)
    ours = _domain(importer, domains)
    if theirs is None or theirs == ours:
        return True
    published = f"store.{theirs}"
    return ours is not None and imported == published


def _domain(module: str, domains: set[str]) -> str | None:
    """The domain that a module belongs to."""
    room, _, rest = module.partition(".")
    name = rest.partition(".")[0]
    return name if room in ROOMS and name in domains else None
