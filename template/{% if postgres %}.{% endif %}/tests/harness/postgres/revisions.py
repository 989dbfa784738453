"""The revisions, and which of them need which."""

from alembic.config import Config
from alembic.script import Script, ScriptDirectory


def revisions(config: Config) -> list[Script]:
    """Return all revisions, parents before children, in an order that is always the same."""
    newest_first = ScriptDirectory.from_config(config).walk_revisions()
    depths: dict[str, int] = {}
    scripts = list(newest_first)[::-1]
    for script in scripts:
        depths[script.revision] = 1 + max((depths[name] for name in parents(script)), default=0)
    return sorted(scripts, key=lambda script: (depths[script.revision], script.revision))


def parents(script: Script) -> list[str]:
    """Return the revisions that must be applied before this one."""
    down = script.down_revision or ()
    needs = script._resolved_dependencies or ()  # noqa: SLF001 - as ids, not as labels
    return sorted({*([down] if isinstance(down, str) else down), *needs})
