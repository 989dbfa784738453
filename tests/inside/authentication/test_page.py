"""The examples with tokens on the page on testing work."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_example_of_the_page_passes(tmp_path: Path) -> None:
    """The example is a complete test that a developer can start with."""
    page = (ROOT / "docs/template/testing.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    [example] = [block for block in blocks if "token: Callable" in block]
    (tmp_path / "test_example.py").write_text(example)
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "--rootdir=.", str(tmp_path)]
    done = subprocess.run(  # noqa: S603 - this interpreter, and a test from the page
        command, cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
