# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "copier>=9.19.0,<10",
#     "copier-template-extensions>=0.3.4",
#     "jinja2-time>=0.2.0",
#     "packaging>=24",
#     "pyyaml>=6.0",
# ]
# ///
"""Compare this service with its template, or bring in a newer release of it.

Exit status of `check`: 0 up to date or ahead, 2 behind, 1 it could not be told.
Exit status of `update`: 0 done or nothing to do, 2 done with conflicts left to resolve, 1 nothing
was changed, 3 files were changed and then something failed, as the message says.
Exit status of `propose`: 0 done or nothing to do, else it failed.
"""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder: what an update puts here must not pass for a library that is
    # imported later. All that runs is read before the update rewrites it.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    sys.exit(import_module("development.updating.command").main())
