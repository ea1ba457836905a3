"""Route tables, as a definition may name them."""

from __future__ import annotations

import pytest

from ocf_aws.selection import Selection


@pytest.mark.parametrize("text", ["rtb-1,rtb-2", "rtb-1, rtb-2", "rtb-1 rtb-2", " rtb-1 ,, rtb-2,"])
def test_ids_may_be_separated_by_commas_spaces_or_both(text: str) -> None:
    assert Selection(text).ids == ("rtb-1", "rtb-2")


def test_a_table_that_is_named_twice_is_one_table() -> None:
    assert Selection("rtb-1,rtb-1").ids == ("rtb-1",)


def test_tags_select_tables_too() -> None:
    selection = Selection("rtb-1 tag:Cluster=hana tag:a=b=c")
    assert selection.ids == ("rtb-1",)
    assert selection.tags == (("Cluster", "hana"), ("a", "b=c"))


@pytest.mark.parametrize("text", [",", "banana", "tag:Cluster", "tag:=x", "rtb-", "rtb-1;rtb-2", "vpc-1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Selection(text)
