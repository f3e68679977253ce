"""Where a region is, and what lies in it."""

import random

import pytest

from loyalty.errors import InvalidInput
from loyalty.regions.rules import (
    AREAS_MAX,
    CORNERS_MAX,
    Corner,
    RegionView,
    area_of,
    check_areas,
    region_at,
)

SQUARE = ((30.0, 120.0), (31.0, 120.0), (31.0, 121.0), (30.0, 121.0))
EAST = ((30.0, 121.0), (31.0, 121.0), (31.0, 122.0), (30.0, 122.0))
CRESCENT = (
    (0.0, 0.0),
    (4.0, 0.0),
    (4.0, 4.0),
    (3.0, 4.0),
    (3.0, 1.0),
    (1.0, 1.0),
    (1.0, 4.0),
    (0, 4),
)


def region(code: str, *areas: tuple[Corner, ...]) -> RegionView:
    return RegionView(code, code, code, tuple(map(area_of, areas)))


def test_a_point_is_in_the_first_region_around_it() -> None:
    regions = [region("a", EAST), region("b", SQUARE, CRESCENT), region("c", SQUARE), region("d")]
    assert region_at(regions, 30.5, 121.5) == "a"
    assert region_at(regions, 30.5, 120.5) == "b"
    assert region_at(regions, 0.5, 3.0) == "b", "an arm of the crescent"
    assert region_at(regions, 2.0, 3.0) is None, "between its arms"
    assert region_at(regions, 29.0, 120.5) is None
    assert region_at(regions, None, 120.5) is None
    assert region_at([], 30.5, 120.5) is None


def test_what_two_neighbours_share_lies_in_one_of_them() -> None:
    left, right = area_of(SQUARE), area_of(EAST)
    for latitude in (30.0, 30.5, 30.99):
        assert [left.contains(latitude, 121.0), right.contains(latitude, 121.0)].count(True) == 1


def test_many_points_of_a_turned_square_are_told_as_by_its_formula() -> None:
    rng = random.Random(7)
    diamond = area_of([(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)])
    for _ in range(2_000):
        x, y = rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)
        assert diamond.contains(x, y) == (abs(x) + abs(y) < 1)


@pytest.mark.parametrize(
    ("areas", "field"),
    [
        ([SQUARE] * (AREAS_MAX + 1), "areas"),
        ([SQUARE, SQUARE[:2]], "areas[1]"),
        ([SQUARE * CORNERS_MAX], "areas[0]"),
        ([SQUARE[:1] * 5], "areas[0]"),
        ([(*SQUARE, (90.1, 0.0))], "areas[0][4]"),
        ([(*SQUARE, (0.0, -181.0))], "areas[0][4]"),
        ([((float("nan"), 0.0), *SQUARE)], "areas[0][0]"),
    ],
)
def test_what_is_no_area_is_refused_with_its_path(
    areas: list[tuple[Corner, ...]], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_areas(areas)
    assert refused.value.details["field"] == field
