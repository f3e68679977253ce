"""Pure: where a region is, and which one somebody is in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loyalty.errors import InvalidInput

CODE_LENGTH_MAX = 50
NAME_LENGTH_MAX = 100
REGIONS_MAX = 200
AREAS_MAX = 20
CORNERS_MAX = 500
CORNERS_OF_BRAND_MAX = 20_000
"""In all of its regions: they are held in memory, and shown whole."""

Corner = tuple[float, float]
"""Latitude and longitude, in degrees."""


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon, and the box around it."""

    corners: tuple[Corner, ...]
    south: float
    west: float
    north: float
    east: float

    def contains(self, latitude: float, longitude: float) -> bool:
        """Whether a point lies in it, by how often a way from there to the east crosses its sides;
        of two areas that share a side, a point on it lies in one."""
        if not (self.south <= latitude <= self.north and self.west <= longitude <= self.east):
            return False
        inside = False
        before_latitude, before_longitude = self.corners[-1]
        for corner_latitude, corner_longitude in self.corners:
            if (corner_latitude > latitude) != (before_latitude > latitude):
                share = (latitude - corner_latitude) / (before_latitude - corner_latitude)
                crossed_at = corner_longitude + share * (before_longitude - corner_longitude)
                if longitude < crossed_at:
                    inside = not inside
            before_latitude, before_longitude = corner_latitude, corner_longitude
        return inside


@dataclass(frozen=True, slots=True)
class RegionView:
    """A region as rules see it."""

    code: str
    name_zh: str
    name_en: str
    areas: tuple[Area, ...]


def area_of(corners: Iterable[Sequence[float]]) -> Area:
    """A polygon with its box."""
    points = tuple((corner[0], corner[1]) for corner in corners)
    latitudes, longitudes = zip(*points, strict=True)
    return Area(points, min(latitudes), min(longitudes), max(latitudes), max(longitudes))


def region_at(
    regions: Iterable[RegionView], latitude: float | None, longitude: float | None
) -> str | None:
    """The code of the first region that a point lies in; None where it lies in none, or is not
    known."""
    if latitude is None or longitude is None:
        return None
    for region in regions:
        if any(area.contains(latitude, longitude) for area in region.areas):
            return region.code
    return None


def check_areas(areas: Sequence[Sequence[Corner]]) -> None:
    """Refuses InvalidInput with the field's path. An area does not reach over the 180th degree."""
    if len(areas) > AREAS_MAX:
        raise InvalidInput(field="areas", problem=f"at most {AREAS_MAX}")
    for i, corners in enumerate(areas):
        path = f"areas[{i}]"
        if not 3 <= len(corners) <= CORNERS_MAX:
            raise InvalidInput(field=path, problem=f"3 to {CORNERS_MAX} corners")
        for j, (latitude, longitude) in enumerate(corners):
            # NaN fails both comparisons.
            if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
                raise InvalidInput(field=f"{path}[{j}]", problem="degrees out of range")
        if len(set(corners)) < 3:
            raise InvalidInput(field=path, problem="encloses nothing")
