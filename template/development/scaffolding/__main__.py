"""Adds a domain, or removes one; a failure changes no file.

    python -m development.scaffolding create NAME [--fields=FIELDS] [--plural=PLURAL]
    python -m development.scaffolding remove NAME

Exit code: 0 when it is done, 1 when nothing was changed, 128 and the signal's number when it was
stopped, and nothing was changed either.
"""

import argparse
import sys
from pathlib import Path

from development.runner import Stopped, stoppable
from development.scaffolding.create import create
from development.scaffolding.remove import remove
from development.scaffolding.workspace import ScaffoldError

SERVICE = Path(__file__).parents[2]
DEFAULT_FIELDS = "name:str"


def main() -> int:
    """Run the command."""
    options = parse()
    try:
        with stoppable():
            if options.command == "create":
                fields = options.fields or DEFAULT_FIELDS
                print(create(SERVICE, options.name, fields, options.plural))
            else:
                print(remove(SERVICE, options.name))
    except ScaffoldError as error:
        print(f"{error}\nNothing was changed.", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print("Stopped. Nothing was changed.", file=sys.stderr)
        return 128 + stopped.signum
    return 0


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Add a domain, or remove one.")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("create", help="add a domain")
    add.add_argument("name", help="in the singular, such as invoice_line")
    add.add_argument("--fields", default="", help='such as "number:str:unique due:date"')
    add.add_argument("--plural", default="", help="where it is not the usual one")
    commands.add_parser("remove", help="remove a domain").add_argument("name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
