"""`python -m load.scale [table …]`: the tables of docs/scale.md, from the newest measurements."""

import sys

from load.scale.tables import TABLES, markdown


def main() -> None:
    names = sys.argv[1:] or list(TABLES)
    if unknown := set(names) - TABLES.keys():
        sys.exit(f"no such table: {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    for name in names:
        print(f"{name}: {TABLES[name].__doc__}\n\n{markdown(name)}")


if __name__ == "__main__":
    main()
