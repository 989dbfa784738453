"""The revisions and their dependencies."""

from alembic.config import Config
from alembic.script import Script, ScriptDirectory


def revisions(config: Config) -> list[Script]:
    """Return all revisions in a fixed order, parents before children."""
    needed = parents(config)
    depths: dict[str, int] = {}
    scripts = [*ScriptDirectory.from_config(config).walk_revisions()][::-1]
    for script in scripts:
        names = needed[script.revision]
        depths[script.revision] = 1 + max((depths[name] for name in names), default=0)
    return sorted(scripts, key=lambda script: (depths[script.revision], script.revision))


def parents(config: Config) -> dict[str, list[str]]:
    """Return, for each revision, the revisions that must be applied before it."""
    directory = ScriptDirectory.from_config(config)
    return {one.revision: _parents(one, directory) for one in directory.walk_revisions()}


def _parents(script: Script, directory: ScriptDirectory) -> list[str]:
    names = {*_names(script.down_revision), *_names(script.dependencies)}
    # A dependency may also be written as a branch label or an abbreviated id.
    return sorted({directory.get_revision(name).revision for name in names})


def _names(value: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())
