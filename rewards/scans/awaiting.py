"""Guides who wait until consumers have taken what they got, whoever scans."""

from loyalty.db import Tx
from rewards.grants import awaiting
from rewards.scans.world import ScanWorld


async def meet_guides(tx: Tx, world: ScanWorld) -> None:
    """Who may be paid by what ends of the rewards of those who are in the batch is of it, too."""
    members = [(member.brand_id, member.id) for member in world.members_by_id.values()]
    for key, guide in (await awaiting.find_guides(tx, world.grants, members)).items():
        world.members_by_id.setdefault(key, guide)


async def load_awaited(tx: Tx, world: ScanWorld) -> None:
    """What they wait for; once everybody's accounts are locked."""
    people = {(member.brand_id, member.id): member for member in world.members_by_id.values()}
    await awaiting.load_awaited(tx, world.grants, people, people)
