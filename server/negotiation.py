"""Which media type a GraphQL reply has, and which a request may have (RFC 9110, q-values)."""

from functools import lru_cache
from typing import Literal

MediaType = Literal["application/json", "application/graphql-response+json"]
JSON: MediaType = "application/json"
GRAPHQL_RESPONSE: MediaType = "application/graphql-response+json"

_HEADER_CHARS_MAX = 1_000
# In order of preference where the caller has none. A wildcard (and no Accept header at all)
# comes from clients that know nothing of the newer type.
_OFFERED: tuple[MediaType, ...] = (GRAPHQL_RESPONSE, JSON)


@lru_cache(maxsize=512)
def reply_type(accept: bytes) -> MediaType | None:
    """The type to answer in, or None if the caller accepts neither. Empty: no Accept header."""
    if not accept.strip():
        return JSON
    ranges = _ranges(accept.decode("latin-1")[:_HEADER_CHARS_MAX])
    best: tuple[float, int, MediaType] | None = None
    for offered in _OFFERED:
        specificity, quality = max(
            ((depth, q) for name, (depth, q) in ranges.items() if _matches(name, offered)),
            default=(0, 0.0),
        )
        # A type named by itself wins over one that a wildcard lets through, at equal quality.
        named = 1 if specificity == 2 or offered == JSON else 0
        if quality > 0 and (best is None or (quality, named) > best[:2]):
            best = (quality, named, offered)
    return best[2] if best else None


@lru_cache(maxsize=512)
def wants_html(accept: bytes) -> bool:
    """Whether a browser is navigating here: it names text/html and likes it no less than JSON."""
    ranges = _ranges(accept.decode("latin-1")[:_HEADER_CHARS_MAX])
    html = ranges.get("text/html", (0, 0.0))[1]
    others = (ranges.get(JSON, (0, 0.0))[1], ranges.get(GRAPHQL_RESPONSE, (0, 0.0))[1])
    return html > 0 and html >= max(others)


@lru_cache(maxsize=512)
def is_json(content_type: bytes) -> bool:
    """Whether a body's Content-Type is application/json in UTF-8."""
    name, *parameters = content_type.decode("latin-1").lower().split(";")
    if name.strip() != JSON:
        return False
    for parameter in parameters:
        key, _, value = parameter.strip().partition("=")
        if key == "charset" and value.strip('"') not in ("utf-8", "utf8"):
            return False
    return True


def _ranges(accept: str) -> dict[str, tuple[int, float]]:
    """Media range to (specificity 0 to 2, quality)."""
    ranges: dict[str, tuple[int, float]] = {}
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if name and 0 <= quality <= 1:
            specificity = 0 if name == "*/*" else 1 if name.endswith("/*") else 2
            ranges[name] = (specificity, max(quality, ranges.get(name, (0, 0.0))[1]))
    return ranges


def _matches(media_range: str, offered: str) -> bool:
    return media_range in (offered, "application/*", "*/*")
