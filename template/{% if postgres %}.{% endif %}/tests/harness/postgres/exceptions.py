"""Pass the fixture `schema_exceptions` to `make migration`, which runs only this file."""

import json
import os
from pathlib import Path


def test_schema_exceptions(schema_exceptions: list[str]) -> None:
    """Write the fixture's value to the file that `make migration` names."""
    Path(os.environ["SCHEMA_EXCEPTIONS_FILE"]).write_text(json.dumps(list(schema_exceptions)))
