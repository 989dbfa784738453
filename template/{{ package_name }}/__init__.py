"""The service: `main.create_app` puts it together, `python -m` serves it."""

import gc

# Nearly all that imports create lives as long as the process, and requests leave few cycles behind:
# Python's own threshold, 700 or 2,000 objects, has it search for garbage in vain all the time.
gc.set_threshold(50_000)
