"""How each command is sent over REST, for clients in JavaScript that have no socket."""

import json

from gateway.specs.contract import Contract

HEAD = """\
// How each command is sent over REST; with `makes` it takes an `id` of the client's own.
// Made from the operation table by `python -m tests.docs.inserts`: change them there.

"""


def routes(contract: Contract) -> str:
    """A JavaScript module. The same contract gives the same text."""
    lines = [HEAD, "export const ROUTES = {\n"]
    for route in contract.routes:
        if route.event is None:
            continue
        said = {"method": route.method, "path": route.path}
        fields = ", ".join(f"{name}: {json.dumps(value)}" for name, value in said.items())
        if 201 in route.answers and "id" in route.command.__struct_fields__:
            fields += ", makes: true"
        lines.append(f"  {json.dumps(route.event)}: {{ {fields} }},\n")
    return "".join([*lines, "};\n"])
