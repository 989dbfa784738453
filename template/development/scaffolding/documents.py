"""What the service's own pages say about a domain."""

import re

from development.scaffolding.names import Names
from development.scaffolding.plan import address_of
from development.scaffolding.workspace import Workspace

PAGES = ("*.md", "docs/*.md")
ROUTES = "tests/open_routes.txt"
"""Names routes that need no token, where there is such a list."""

GUIDE = r"\[docs/adding-a-domain.md\]\(docs/adding-a-domain.md\)"
EXAMPLE = (
    (
        rf"`domain/product` is .* to delete:\n({GUIDE} says how to make) one of your own",
        r"\1 a domain",
    ),
    (r" `domain/product` is an example to learn from and to delete\.", ""),
    (r'm="add a colour to products"', 'm="what changes"'),
    (r", and `product` there is the example to copy\. Its modules\nhave", ". Its modules\nhave"),
)
"""What a new service's pages say of the worked example, and what they say without it."""

BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
EMPTY_BLOCK = re.compile(r"(, or from a shell:|:)?\n\n```\n```\n")


def remove(copy: Workspace, names: Names) -> None:
    """Take the commands that call a domain out of the pages, and what they say of the example."""

    def without_calls(text: str) -> str:
        return re.sub(rf"^.*{address_of(names)}.*\n", "", text, flags=re.MULTILINE)

    if routes := copy.read(ROUTES):
        copy.write(ROUTES, without_calls(routes))
    for path in (path for pattern in PAGES for path in copy.paths(pattern)):
        text = before = copy.read(path)
        text = BLOCK.sub(lambda block: without_calls(block[0]), text)
        text = EMPTY_BLOCK.sub(lambda match: ".\n" if match[1] else "\n", text)
        for old, new in EXAMPLE if names.name == "product" else ():
            text = re.sub(old, new, text)
        if text != before:
            copy.write(path, text)


def mentions(copy: Workspace, names: Names) -> list[str]:
    """Return the lines of the pages that still mention a domain."""
    words = {names.name, names.plural, names.human, names.humans, names.slug, names.slugs}
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(words)))})\b", re.IGNORECASE)
    return [
        f"{path}:{number}: {line.strip()}"
        for path in (path for place in PAGES for path in copy.paths(place))
        for number, line in enumerate(copy.read(path).splitlines(), 1)
        if pattern.search(line)
    ]
