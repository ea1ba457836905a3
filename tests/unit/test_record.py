"""Values with named items."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from ocf_aws.record import Record


class Point(Record):
    """A value for the tests."""

    x: int
    y: int = 7


def test_items_are_told_by_place_or_name_and_may_have_a_default() -> None:
    assert (Point(1).y, Point(1, 2).y, Point(y=2, x=1).x) == (7, 2, 1)


@pytest.mark.parametrize("values, named", [((), {}), ((1, 2, 3), {}), ((1,), {"z": 3})])
def test_a_value_that_lacks_an_item_or_has_another_is_refused(values: tuple[int, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="Point has the items x, y"):
        Point(*values, **named)


def test_a_value_does_not_change() -> None:
    point: Any = Point(1)
    with pytest.raises(AttributeError):
        point.x = 2
    assert point._replace(x=2) == Point(2) and point == Point(1)


def test_a_value_is_shown_with_the_names_of_its_items() -> None:
    assert repr(Point(1)) == "Point(x=1, y=7)"


def test_equal_values_are_one_key() -> None:
    assert {Point(1), Point(1, 7)} == {Point(1)}


def test_a_value_comes_whole_out_of_a_child_process() -> None:
    assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
