"""Races for boxes: who packs a bottle; as ``scan_races.py``."""

from itertools import pairwise
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.packings.models import Packing
from tests.races.arena import Arena, Broken
from tests.races.stage import Stage, said
from tests.races.wire import release_at_once, request_bytes

PACK = """mutation Race($input: PackBoxesInput!) { packBoxes(input: $input) { __typename
  ... on PackBoxesReceipt { packing { firstSerial } } ... on Refused { code } } }"""
PER_BOX = 6
SHIFT = 2
"""Each line begins so many bottles after the one before it: it wants most of the same bottles."""


def _pack(stage: Stage, box_batch_id: UUID, key: str, first: int, box: int) -> bytes:
    given = {
        "idempotencyKey": key,
        "bottleBatchId": encode_id("CodeBatch", stage.inner_batch.id),
        "firstSerial": first,
        "count": PER_BOX,
        "perBox": PER_BOX,
        "boxBatchId": encode_id("CodeBatch", box_batch_id),
        "firstBoxSerial": box,
    }
    return request_bytes(stage.operator(), PACK, {"input": given})


async def a_bottle_is_packed_once(arena: Arena, size: int) -> Broken:
    """Boxes that want bottles of one another, told at once: no bottle is in two of them."""
    broken = Broken()
    stage = await arena.stage("packed").build()
    box_batch_id = await stage.boxes()
    requests = [_pack(stage, box_batch_id, f"box {n}", n * SHIFT, n) for n in range(size)]
    answers = await release_at_once(arena.ports, requests)
    ends = [said(answer, "packBoxes").get("code", "packed") for answer in answers]
    broken.unless(set(ends) <= {"packed", "INVALID_INPUT"}, f"packed or refused, not {set(ends)}")
    rows = sorted(await stage.rows(Packing), key=lambda row: row.first_item_no)
    broken.unless(ends.count("packed") == len(rows), f"{len(rows)} are packed")
    broken.unless(bool(rows), "somebody comes first")
    for row, after in pairwise(rows):
        broken.unless(row.last_item_no < after.first_item_no, "no bottle is in two boxes")
    return broken
