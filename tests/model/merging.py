"""Two members become one."""

from tests.model.records import Member
from tests.model.world import Refused, World


def merge(world: World, source_name: str, target_name: str) -> None:
    """The target has everything of the source that is good, and its person acts as the target from
    now on. What has gone bad stays, and so do counts."""
    if source_name == target_name:
        raise Refused("SAME_ACCOUNT")
    source, target = world.members[source_name], world.members[target_name]
    for member in (source, target):
        if member.frozen:
            raise Refused("MEMBER_FROZEN")
        world.check_open(member)
    if source.role != target.role:
        raise Refused("ROLES_DIFFER")
    _move_value(world, source, target)
    _join_levels(world, source, target)
    _hand_over(world, source, target)
    source.merged_into = target.name
    for member in world.members.values():
        if member.merged_into == source.name:
            member.merged_into = target.name
    world.join_persons(source.person, target.person)
    world.met["merged"] += 1


def _move_value(world: World, source: Member, target: Member) -> None:
    """Lots with their dates, what waits, debts; then what is both had and owed is repaid."""
    today = world.day_of(world.now)
    for asset in source.wallet.free:
        had = source.wallet.spendable(asset, today)
        for day, part in source.wallet.take(asset, had, today):
            target.wallet.put(asset, part, day)
        target.wallet.locked[asset] += source.wallet.locked.pop(asset, 0)
        target.wallet.owed[asset] += source.wallet.owed.pop(asset, 0)
        repaid = min(target.wallet.owed[asset], target.wallet.spendable(asset, today))
        target.wallet.take(asset, repaid, today)
        target.wallet.owed[asset] -= repaid
        world.met["repaid by a merge"] += repaid > 0
    moved = [waiting for waiting in world.waiting if waiting.member == source.name]
    for waiting in moved:  # the last of those that wait, from now on
        world.waiting.remove(waiting)
        waiting.member = target.name
        world.waiting.append(waiting)
    world.met["waits for another"] += len(moved)


def _join_levels(world: World, source: Member, target: Member) -> None:
    """The better level stays, and what both have together counts at once."""
    alone = max(source.rank, target.rank)
    source.rank, target.rank = 0, alone
    world.look(target)
    world.met["risen together"] += target.rank > alone


def _hand_over(world: World, source: Member, target: Member) -> None:
    """Whom the source has brought, who has brought it, and its devices. Nobody brings itself."""
    for member in world.members.values():
        if member.invited_by == source.name and member is not target:
            member.invited_by = target.name
    for guest, inviter in world.invitations.items():
        if inviter == source.name:
            world.invitations[guest] = target.name
    if target.invited_by in (None, source.name):
        by_target = source.invited_by == target.name
        target.invited_by = None if by_target else source.invited_by
    target.devices |= source.devices
