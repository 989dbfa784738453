"""Keeping one pull request on GitHub that brings in the newest release."""

import json
from tempfile import NamedTemporaryFile

from development.updating.outcome import Outcome
from development.updating.repository import TemplateError, call, git
from development.updating.update import bring_in

BRANCH = "template-update"
REFERENCE = f"refs/heads/{BRANCH}"
NAME, EMAIL = "github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com"


def propose(base: str, release: str = "") -> None:
    """Update the files, and make or refresh a pull request with them against the branch `base`.

    It is a draft as long as there are conflicts. A branch on which somebody else has worked since
    stays as it is, and so does a pull request that was closed until there is something new.
    """
    outcome = bring_in(release)
    if outcome is None:
        return
    pushed = pushed_commit()
    if pushed and git("log", "-1", "--format=%ce", pushed).strip() != EMAIL:
        print(f"Somebody has worked on the branch {BRANCH}: it stays as it is.")
        return
    commit = committed(outcome, pushed)
    if commit != pushed:
        lease = f"--force-with-lease={REFERENCE}:{pushed}"  # what was pushed in between stays
        git("push", "--quiet", lease, "origin", f"{commit}:{REFERENCE}")
    publish(outcome, base, commit, is_new=commit != pushed)


def pushed_commit() -> str:
    """Return the commit that the branch has at GitHub, fetched, or nothing if it is not there."""
    found = git("ls-remote", "origin", REFERENCE).split()
    if not found:
        return ""
    git("fetch", "--quiet", "origin", REFERENCE)
    return found[0]


def committed(outcome: Outcome, pushed: str) -> str:
    """Commit the files on top of the base, or find that the commit pushed is the same."""
    git("add", "--all", "--", ".")
    tree, base = git("write-tree").strip(), git("rev-parse", "HEAD").strip()
    if pushed and git("log", "-1", "--format=%T %P", pushed).split() == [tree, base]:
        return pushed
    who = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", NAME), ("EMAIL", EMAIL))
    }
    made = call("git", "commit-tree", tree, "-p", base, "-m", outcome.message, variables=who)
    return made.strip()


def publish(outcome: Outcome, base: str, commit: str, *, is_new: bool) -> None:
    """Bring the pull request's words and its state in line with the branch, or open one."""
    requests = own_requests()
    found = [one for one in requests if one["state"] == "OPEN"]
    with NamedTemporaryFile("w", suffix=".md") as file:
        file.write(outcome.body)
        file.flush()
        words = ("--title", outcome.update_path.title, "--body-file", file.name)
        draft = bool(outcome.conflicts)
        if not found:
            if commit in {one["headRefOid"] for one in requests}:
                print("The pull request of this update was closed: it stays so.")
                return
            state = ["--draft"] if draft else []
            created = gh("pr", "create", "--base", base, "--head", BRANCH, *words, *state)
            print(created.strip())
            return
        number = str(found[0]["number"])
        if is_new or lines(str(found[0]["body"])) != lines(outcome.body):
            gh("pr", "edit", number, *words)
        if is_new and found[0]["isDraft"] != draft:
            gh("pr", "ready", number, *(["--undo"] if draft else []))
        print(f"The pull request {number} is current.")


def own_requests() -> list[dict[str, object]]:
    """List the pull requests of our branch; a fork may have a branch of the same name."""
    fields = "number,state,isDraft,isCrossRepository,headRefOid,body"
    listed = gh("pr", "list", "--head", BRANCH, "--state", "all", "--json", fields)
    requests: list[dict[str, object]] = json.loads(listed)
    return [one for one in requests if not one["isCrossRepository"]]


def lines(text: str) -> list[str]:
    """Split a text, however its lines end."""
    return text.strip().splitlines()


def gh(*arguments: str) -> str:
    """Return what GitHub's command-line tool answers."""
    try:
        return call("gh", *arguments)
    except FileNotFoundError as error:
        raise TemplateError("A pull request needs GitHub's command-line tool, gh.") from error
