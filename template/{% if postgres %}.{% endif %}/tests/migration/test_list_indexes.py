"""No list sorts or searches a whole table for a page of it."""

from tests.harness.postgres import lists


def test_each_list_has_its_indexes(unindexed_lists: list[str]) -> None:
    """Each column that a list is sorted by, or searched by the start of, has an index for it."""
    missing = {name: add for name, add in lists.missing().items() if name not in unindexed_lists}
    advice = (
        '`make migration m="..."` then writes the revision. A table that stays small needs no '
        "index: name the list by overriding the fixture unindexed_lists"
    )
    lines = [f"  {name}: {add}" for name, add in missing.items()]
    assert not missing, "\n".join(["lists have no index:", *lines, advice])
