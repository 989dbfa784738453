"""Run the event tools with the brokers of the running `make run`.

python -m development.kafka (tail|replay) ...
"""

import os
import sys

from dotenv import dotenv_values

from development.kafka import ADDRESS
from development.project import PACKAGE, PREFIX

VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"

variables = {**dotenv_values(".env"), **os.environ}
if not (variables.get(VARIABLE) or variables.get(PREFIX + VARIABLE)):
    if not ADDRESS.exists():
        sys.exit(f"No broker runs: start one with `make run`, or set {VARIABLE} to your own.")
    os.environ[VARIABLE] = ADDRESS.read_text()
os.execv(sys.executable, [sys.executable, "-m", f"{PACKAGE}.events", *sys.argv[1:]])  # noqa: S606
