"""Bringing the result of an update into the service's files: all of it, or nothing."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from development.updating.repository import (
    ANSWERS,
    ROOT,
    Note,
    TemplateError,
    changes,
    git,
    git_bytes,
    names,
    prefix,
    shown,
)
from development.updating.workspace import EXECUTABLE, LINK, Commit, File, Result

CONVERTING = ("text", "eol", "filter", "ident", "working-tree-encoding")
"""Attributes for which git may write a file otherwise than it stores it."""

GONE = "0" * 40


def refuse_what_is_in_the_way(result: Result, commit: Commit) -> None:
    """Raise if the result would overwrite or remove anything that is not committed."""
    blocked = sorted({*_in_the_way(result, commit), *_hidden_work(result, commit)})
    if blocked:
        listed = "\n".join(f"  {shown(path)}" for path in blocked)
        raise TemplateError(
            f"The release has files where this service has others that git does not keep, because "
            f"they are ignored or flagged as unchanged. Nothing was changed. Move them away or "
            f"commit them, then try again:\n{listed}"
        )


def _in_the_way(result: Result, commit: Commit) -> Iterator[str]:
    """Name what stands where the result has a new file, or a folder for one."""
    for path, file in result.written.items():
        for parent in map(str, list(Path(path).parents)[:-1]):
            place = ROOT / parent
            is_folder = place.is_dir() and not place.is_symlink()
            if os.path.lexists(place) and not is_folder and parent not in result.deleted:
                yield parent
        place = ROOT / path
        if path in commit.files or not os.path.lexists(place):
            continue
        if place.is_dir() and not place.is_symlink():
            below = [str(one.relative_to(ROOT)) for one in place.rglob("*") if not one.is_dir()]
            if not result.deleted.issuperset(below):
                yield path
        elif place.is_symlink() or place.read_bytes() != file.data:
            yield path


def flagged() -> set[str]:
    """List files at which git does not look: assumed to be unchanged, or left out of the work."""
    listed = names(git("ls-files", "-v", "-z", "--", "."))
    return {line[2:] for line in listed if line[0] == "S" or line[0].islower()}


def _hidden_work(result: Result, commit: Commit) -> Iterator[str]:
    """Name files that differ from the commit, although git was told not to look at them."""
    for path in flagged() & {*result.written, *result.deleted}:
        place, known = ROOT / path, commit.files.get(path)
        if known is None or not os.path.lexists(place):
            continue
        here = os.fsencode(place.readlink()) if place.is_symlink() else place.read_bytes()
        if here not in {known.data, as_checked_out(path, known.data)}:
            yield path


def as_checked_out(path: str, data: bytes) -> bytes:
    """Return what git would write to disk for a file: line endings, filters."""
    blob = stored(data)
    return git_bytes("cat-file", "--filters", f"--path={prefix()}{path}", blob)


def stored(data: bytes) -> str:
    """Keep bytes in the repository, and return their name there."""
    return git_bytes("hash-object", "-w", "--no-filters", "--stdin", text=data).decode().strip()


def converted(paths: list[str]) -> set[str]:
    """List the paths that git may write to disk otherwise than it stores them."""
    if git("config", "--default=false", "--get", "core.autocrlf").strip().lower() == "true":
        return {*paths}
    found = names(git("check-attr", "-z", "--stdin", *CONVERTING, text="\0".join([*paths, ""])))
    values = zip(found[::3], found[2::3], strict=True)
    return {path for path, value in values if value not in {"unspecified", "unset"}}


def ignored(result: Result, commit: Commit) -> tuple[str, ...]:
    """List new files that git ignores here, so that no `git add` would take them."""
    new = [path for path in result.written if path not in commit.files]
    if not new:
        return ()
    try:
        listed = git("check-ignore", "--no-index", "-z", "--stdin", text="\0".join([*new, ""]))
    except TemplateError:  # its status is 1 where it ignores none
        return ()
    return tuple(names(listed))


def bring(result: Result, commit: Commit, releases: str) -> tuple[str, ...]:
    """Write the result into the service; whatever stops it, the files are as they were.

    Returns:
        The new files that git ignores here.

    Raises:
        TemplateError: something is in the way, or came in between.
    """
    note = Note()
    if changes():
        raise TemplateError("Files were changed during the update. Nothing of it was written.")
    refuse_what_is_in_the_way(result, commit)
    hidden = ignored(result, commit)
    changed = [*sorted(result.deleted), *sorted(result.written, key=lambda path: path == ANSWERS)]
    to_convert = converted(list(result.written))
    unwatched = sorted(flagged() & {*changed})
    note.write(releases, hidden)
    with Undo() as undo:
        for path in changed[:-1] if ANSWERS in result.written else changed:
            undo.change(path, result.written.get(path), convert=path in to_convert)
        if unwatched:
            for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
                git("update-index", flag, "-z", "--stdin", text="\0".join([*unwatched, ""]))
        if hidden:
            git("add", "--force", "--intent-to-add", "--", *hidden)
        mark_conflicts(result)
        if ANSWERS in result.written:
            undo.change(ANSWERS, result.written[ANSWERS], convert=ANSWERS in to_convert)
    note.remove()
    return hidden


def mark_conflicts(result: Result) -> None:
    """Tell git which files have conflicts, with their sides."""
    start, paths = prefix(), {path for path, *_ in result.unmerged}
    lines = [f"0 {GONE}\t{start}{path}\0" for path in sorted(paths)]
    lines += [
        f"{mode} {stored(data)} {stage}\t{start}{path}\0"
        for path, stage, mode, data in result.unmerged
    ]
    if lines:
        git("update-index", "-z", "--index-info", text="".join(lines))


class Undo:
    """Changes to files of the service that are taken back when something stops them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.before: list[tuple[Path, File | None]] = []

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Take everything back if it failed."""
        if kind is not None:
            for place, file in reversed(self.before):
                put(place, file)
            git("reset", "--quiet", "--", ".")

    def change(self, path: str, file: File | None, *, convert: bool) -> None:
        """Write a file, or remove it, in the form that git would write to disk."""
        place = ROOT / path
        if file is not None and convert and file.mode != LINK:
            file = File(file.mode, as_checked_out(path, file.data))
        self.before.append((place, seen(place)))
        put(place, file)


def seen(place: Path) -> File | None:
    """Read a file from disk."""
    if place.is_symlink():
        return File(LINK, os.fsencode(place.readlink()))
    if not place.exists():
        return None
    return File(EXECUTABLE if place.stat().st_mode & 0o100 else "", place.read_bytes())


def put(place: Path, file: File | None) -> None:
    """Write a file to disk with the folders that it needs, or remove it with those that it did."""
    if file is None:
        place.unlink(missing_ok=True)
        for folder in place.parents:
            if folder == ROOT or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    # Replaced whole: nobody sees half a file, and another that shares its data keeps them.
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    if file.mode == LINK:
        draft.symlink_to(os.fsdecode(file.data))
    else:
        draft.write_bytes(file.data)
    if file.mode == EXECUTABLE:
        mode = draft.stat().st_mode
        draft.chmod(mode | (mode & 0o444) >> 2)
    draft.replace(place)
