"""Write the result of an update into the service's files: all of it, or nothing."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from development.updating.repository import (
    ANSWERS,
    ROOT,
    TemplateError,
    UpdateRecord,
    git,
    git_bytes,
    prefix,
    printable,
    split_names,
    uncommitted_changes,
)
from development.updating.workspace import EXECUTABLE, LINK, Commit, File, Result

CONVERTING_ATTRIBUTES = ("text", "eol", "filter", "ident", "working-tree-encoding")
"""Attributes with which git may write a file to disk differently than it stores it."""

NO_OBJECT = "0" * 40


def apply(result: Result, commit: Commit, releases: str) -> tuple[str, ...]:
    """Write the result of an update into the service. If it fails, restore all files.

    Args:
        result: the changes to write.
        commit: the service's last commit.
        releases: the old and the new release, for messages.

    Returns:
        The new files that git ignores in this service.

    Raises:
        TemplateError: files were changed meanwhile, or would be overwritten.
    """
    record = UpdateRecord()
    if uncommitted_changes():
        raise TemplateError("Files were changed during the update. The update wrote nothing.")
    refuse_overwriting(result, commit)
    ignored = ignored_files(result, commit)
    changed = [*sorted(result.deleted), *sorted(result.written, key=lambda path: path == ANSWERS)]
    converted = converted_files(list(result.written))
    unwatched = sorted(flagged_files() & {*changed})
    record.write(releases, ignored)
    with FileChanges() as changes:
        for path in changed[:-1] if ANSWERS in result.written else changed:
            changes.make(path, result.written.get(path), convert=path in converted)
        if unwatched:
            for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
                git("update-index", flag, "-z", "--stdin", text="\0".join([*unwatched, ""]))
        if ignored:
            git("add", "--force", "--intent-to-add", "--", *ignored)
        mark_conflicts(result)
        if ANSWERS in result.written:
            changes.make(ANSWERS, result.written[ANSWERS], convert=ANSWERS in converted)
    record.remove()
    return ignored


def refuse_overwriting(result: Result, commit: Commit) -> None:
    """Raise TemplateError if the result would overwrite or delete uncommitted data."""
    paths = sorted({*untracked_obstacles(result, commit), *unnoticed_changes(result, commit)})
    if paths:
        path_list = "\n".join(f"  {printable(path)}" for path in paths)
        raise TemplateError(
            f"The update would overwrite files that are not committed, because git ignores them "
            f"or was told to assume that they are unchanged. Nothing was changed. Move these files "
            f"away or commit them, then try again:\n{path_list}"
        )


def untracked_obstacles(result: Result, commit: Commit) -> Iterator[str]:
    """Find untracked files and folders at the paths of new files, or of their folders."""
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
            descendants = [str(child.relative_to(ROOT)) for child in place.rglob("*")]
            files = [name for name in descendants if not (ROOT / name).is_dir()]
            if not result.deleted.issuperset(files):
                yield path
        elif place.is_symlink() or place.read_bytes() != file.data:
            yield path


def unnoticed_changes(result: Result, commit: Commit) -> Iterator[str]:
    """Find changed files for which `git status` does not report changes."""
    for path in flagged_files() & {*result.written, *result.deleted}:
        place, committed = ROOT / path, commit.files.get(path)
        if committed is None or not os.path.lexists(place):
            continue
        data = os.fsencode(place.readlink()) if place.is_symlink() else place.read_bytes()
        if data not in {committed.data, as_checked_out(path, committed.data)}:
            yield path


def flagged_files() -> set[str]:
    """List the files flagged as "assume unchanged" or "skip worktree"."""
    entries = split_names(git("ls-files", "-v", "-z", "--", "."))
    return {entry[2:] for entry in entries if entry[0] == "S" or entry[0].islower()}


def as_checked_out(path: str, data: bytes) -> bytes:
    """Return the bytes that git would write to disk for a file, after its conversions."""
    return git_bytes("cat-file", "--filters", f"--path={prefix()}{path}", store(data))


def store(data: bytes) -> str:
    """Store data as a blob in the repository and return its hash."""
    return git_bytes("hash-object", "-w", "--no-filters", "--stdin", text=data).decode().strip()


def converted_files(paths: list[str]) -> set[str]:
    """List the paths that git may write to disk differently than it stores them."""
    if git("config", "--default=false", "--get", "core.autocrlf").strip().lower() == "true":
        return {*paths}
    command = ("check-attr", "-z", "--stdin", *CONVERTING_ATTRIBUTES)
    fields = split_names(git(*command, text="\0".join([*paths, ""])))
    values = zip(fields[::3], fields[2::3], strict=True)
    return {path for path, value in values if value not in {"unspecified", "unset"}}


def ignored_files(result: Result, commit: Commit) -> tuple[str, ...]:
    """List the new files that git ignores in this service."""
    new = [path for path in result.written if path not in commit.files]
    if not new:
        return ()
    try:
        output = git("check-ignore", "--no-index", "-z", "--stdin", text="\0".join([*new, ""]))
    except TemplateError:  # exit status 1: git ignores none of them
        return ()
    return tuple(split_names(output))


def mark_conflicts(result: Result) -> None:
    """Record the conflicts in git's index."""
    start, paths = prefix(), {path for path, *_ in result.unmerged}
    entries = [f"0 {NO_OBJECT}\t{start}{path}\0" for path in sorted(paths)]
    entries += [
        f"{mode} {store(data)} {stage}\t{start}{path}\0"
        for path, stage, mode, data in result.unmerged
    ]
    if entries:
        git("update-index", "-z", "--index-info", text="".join(entries))


class FileChanges:
    """Changes to files that are undone if the block raises an error."""

    def __init__(self) -> None:
        """Start without changes."""
        self.before: list[tuple[Path, File | None]] = []

    def __enter__(self) -> Self:
        """Start the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Undo all changes after an error."""
        if kind is not None:
            for place, file in reversed(self.before):
                write_file(place, file)
            git("reset", "--quiet", "--", ".")

    def make(self, path: str, file: File | None, *, convert: bool) -> None:
        """Write a file as git would check it out, or delete it."""
        place = ROOT / path
        if file is not None and convert and file.mode != LINK:
            file = File(file.mode, as_checked_out(path, file.data))
        self.before.append((place, read_file(place)))
        write_file(place, file)


def read_file(place: Path) -> File | None:
    """Read a file or link from disk; None if there is none."""
    if place.is_symlink():
        return File(LINK, os.fsencode(place.readlink()))
    if not place.exists():
        return None
    return File(EXECUTABLE if place.stat().st_mode & 0o100 else "", place.read_bytes())


def write_file(place: Path, file: File | None) -> None:
    """Write a file and its folders, or delete it and the folders that become empty."""
    if file is None:
        place.unlink(missing_ok=True)
        for folder in place.parents:
            if folder == ROOT or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    # Write a new file and rename it: readers see the whole file, and hard links keep the old data.
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    if file.mode == LINK:
        draft.symlink_to(os.fsdecode(file.data))
    else:
        draft.write_bytes(file.data)
    if file.mode == EXECUTABLE:
        mode = draft.stat().st_mode
        draft.chmod(mode | (mode & 0o444) >> 2)
    draft.replace(place)
