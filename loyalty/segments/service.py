"""The verbs of segments (人群): who is in which, as a brand's operators say."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.brands import service as brands
from loyalty.db import Snapshot, Tx
from loyalty.errors import InvalidInput, NotFound
from loyalty.members.service import list_members_by_ids, require_unmerged
from loyalty.segments import queries
from loyalty.segments.models import Segment
from loyalty.segments.queries import SegmentView, find_codes
from loyalty.text import checked_text

__all__ = ["Moved", "SegmentView", "find_codes", "list_segments", "put_segment", "set_members"]

CODE_LENGTH_MAX = 50
NAME_LENGTH_MAX = 100
SEGMENTS_MAX = 200
MEMBERS_MAX = 1000
"""That one command adds, and that one takes out."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How many members came into a segment, and how many went: who was in it already, or never,
    is not counted."""

    added: int
    removed: int


async def put_segment(tx: Tx, actor: Actor, *, code: str, name_zh: str, name_en: str) -> Segment:
    """Make a segment, or say anew what it is called. Refuses InvalidInput with the field's path."""
    segment = Segment(
        brand_id=actor.brand_id,
        code=checked_text(code, "code", length_max=CODE_LENGTH_MAX),
        name_zh=checked_text(name_zh, "nameZh", length_max=NAME_LENGTH_MAX),
        name_en=checked_text(name_en, "nameEn", length_max=NAME_LENGTH_MAX),
        created_at=tx.now,
        updated_at=tx.now,
    )
    await brands.touch_configuration(tx, actor.brand_id)  # makes others wait: never too many
    there = await queries.find_segment(tx, actor.brand_id, segment.code)
    if there is not None:
        segment.id, segment.created_at = there.id, there.created_at
        await queries.change_segment(tx, segment)
    elif await queries.count_segments(tx, actor.brand_id) >= SEGMENTS_MAX:
        raise InvalidInput(field="code", problem=f"at most {SEGMENTS_MAX} segments")
    else:
        await tx.add(segment)
    await audit_log.record(tx, actor, "putSegment", segment.id, code=segment.code)
    return segment


async def set_members(
    tx: Tx, actor: Actor, *, code: str, add: Collection[UUID], remove: Collection[UUID]
) -> Moved:
    """Put members into a segment and take others out: it counts from their next event on.

    Refuses NotFound (segment, member), MemberClosed and InvalidInput.
    """
    brand_id = actor.brand_id
    for field, ids in (("addMemberIds", add), ("removeMemberIds", remove)):
        if len(ids) > MEMBERS_MAX:
            raise InvalidInput(field=field, problem=f"at most {MEMBERS_MAX}")
    both = set(add) & set(remove)
    if both:
        raise InvalidInput(field="removeMemberIds", problem="in, or out: not both")
    wanted = {*add, *remove}
    if len(await list_members_by_ids(tx, brand_id, sorted(wanted))) < len(wanted):
        raise NotFound(noun="member")
    segment = await queries.find_segment(tx, brand_id, code)
    if segment is None:
        raise NotFound(noun="segment")
    await require_unmerged(tx, {(brand_id, id) for id in add})
    moved = Moved(
        await queries.add_members(tx, segment, set(add)),
        await queries.remove_members(tx, segment, set(remove)),
    )
    await audit_log.record(
        tx,
        actor,
        "setSegmentMembers",
        segment.id,
        code=code,
        added=moved.added,
        removed=moved.removed,
    )
    return moved


async def list_segments(snapshot: Snapshot, brand_id: UUID) -> list[SegmentView]:
    """All of a brand, by code, with their sizes."""
    return await queries.list_sizes(snapshot, brand_id)
