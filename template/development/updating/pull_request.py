"""Keep one pull request on GitHub that updates this service to the newest release."""

import json
from tempfile import NamedTemporaryFile

from development.updating.outcome import Outcome
from development.updating.repository import TemplateError, call, git
from development.updating.update import update_service

BRANCH = "template-update"
REFERENCE = f"refs/heads/{BRANCH}"
NAME, EMAIL = "github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com"


def propose(base: str, release: str = "") -> None:
    """Update the files, and open or refresh a pull request against the branch `base`.

    The pull request is a draft while there are conflicts. A branch with commits of other authors
    is not changed. A closed pull request stays closed until there is a newer update.
    """
    outcome = update_service(release)
    if outcome is None:
        return
    pushed = pushed_commit()
    if pushed and git("log", "-1", "--format=%ce", pushed).strip() != EMAIL:
        print(f"The branch {BRANCH} has commits of somebody else, so it was not changed.")
        return
    commit = create_commit(outcome, pushed)
    if commit != pushed:
        lease = f"--force-with-lease={REFERENCE}:{pushed}"  # fails if somebody pushed meanwhile
        git("push", "--quiet", lease, "origin", f"{commit}:{REFERENCE}")
    publish(outcome, base, commit, is_new=commit != pushed)


def pushed_commit() -> str:
    """Fetch the branch and return its commit, or an empty string if it does not exist."""
    references = git("ls-remote", "origin", REFERENCE).split()
    if not references:
        return ""
    git("fetch", "--quiet", "origin", REFERENCE)
    return references[0]


def create_commit(outcome: Outcome, pushed: str) -> str:
    """Commit the files on top of the base, or return the pushed commit if it is the same."""
    git("add", "--all", "--", ".")
    tree, base = git("write-tree").strip(), git("rev-parse", "HEAD").strip()
    if pushed and git("log", "-1", "--format=%T %P", pushed).split() == [tree, base]:
        return pushed
    author = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", NAME), ("EMAIL", EMAIL))
    }
    command = ("git", "commit-tree", tree, "-p", base, "-m", outcome.message)
    return call(*command, variables=author).strip()


def publish(outcome: Outcome, base: str, commit: str, *, is_new: bool) -> None:
    """Open a pull request, or update the text and the draft state of the open one."""
    requests = own_requests()
    open_requests = [request for request in requests if request["state"] == "OPEN"]
    with NamedTemporaryFile("w", suffix=".md") as file:
        file.write(outcome.body)
        file.flush()
        text = ("--title", outcome.update_path.title, "--body-file", file.name)
        draft = bool(outcome.conflicts)
        if not open_requests:
            if commit in {request["headRefOid"] for request in requests}:
                print("The pull request for this update was closed, so no other was opened.")
                return
            state = ["--draft"] if draft else []
            created = gh("pr", "create", "--base", base, "--head", BRANCH, *text, *state)
            print(created.strip())
            return
        number = str(open_requests[0]["number"])
        if is_new or split_lines(str(open_requests[0]["body"])) != split_lines(outcome.body):
            gh("pr", "edit", number, *text)
        if is_new and open_requests[0]["isDraft"] != draft:
            gh("pr", "ready", number, *(["--undo"] if draft else []))
        print(f"Pull request {number} is up to date.")


def own_requests() -> list[dict[str, object]]:
    """List the pull requests from our branch, without those from forks."""
    fields = "number,state,isDraft,isCrossRepository,headRefOid,body"
    output = gh("pr", "list", "--head", BRANCH, "--state", "all", "--json", fields)
    requests: list[dict[str, object]] = json.loads(output)
    return [request for request in requests if not request["isCrossRepository"]]


def split_lines(text: str) -> list[str]:
    """Split a text into lines: GitHub changes line endings."""
    return text.strip().splitlines()


def gh(*arguments: str) -> str:
    """Run GitHub's command-line tool and return its output."""
    try:
        return call("gh", *arguments)
    except FileNotFoundError as error:
        raise TemplateError("GitHub's command-line tool, gh, is missing: install it.") from error
