# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "copier==9.19.1",
#     "copier-template-extensions==0.3.4",
#     "jinja2-time==0.2.0",
#     "packaging>=24,<28",
#     "pyyaml>=6.0,<7",
# ]
# ///
"""Compare this service with its template, or update it to a newer release.

Exit status of `check`: 0 up to date or ahead, 2 behind, 1 the check failed.
Exit status of `update`: 0 updated or nothing to do, 2 updated with conflicts, 1 failed and nothing
changed, 3 failed after files had changed.
Exit status of `propose`: 0 proposed or nothing to do, any other status is a failure.
"""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    # Import from the service's root instead of this folder: a file here must not shadow a library.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    sys.exit(import_module("development.updating.command").main())
