"""Pure: a bottle of a box is scanned, and rewards wait for it."""

from loyalty.ledger.rules import Cause
from rewards.grants.models import LockStatus
from rewards.grants.rules import end_locked
from rewards.grants.world import GrantWorld, LockedState, box_key


def count_bottle(world: GrantWorld, cause: Cause) -> list[LockedState]:
    """A consumer's scan has consumed its bottle's claim: one more of its box, if that is known, for
    whoever waits for it; what that unlocks is the answer. What this very scan has locked knows of
    it already."""
    box = world.boxes.get(cause.id)
    if box is None:
        return []
    box.bottles += 1
    box.is_counted_now = True
    # More than one where bottles were scanned while a server did not know yet that one waits.
    step, box.counted = box.bottles - box.counted, box.bottles
    unlocked = []
    for state in world.locked.get(box_key(box.brand_id, box.box_item_no), ()):
        if state.cause_id == cause.id or not state.waits_at(cause.occurred_at):
            continue
        state.count = max(state.count - step, 0)
        if state.count == 0:
            end_locked(world, box.owners[state.member_id], state, cause, LockStatus.UNLOCKED)
            unlocked.append(state)
    return unlocked
