"""What was given is taken back, and what was spent is given back."""

from tests.model.records import Credit, Spending, Waiting
from tests.model.world import Refused, World


def reverse(world: World, credit: Credit, amount: int | None, policy: str) -> None:
    """So much of a credit, or all that is left of it."""
    wanted = credit.left if amount is None else amount
    if wanted > credit.left or not credit.left:
        raise Refused("REVERSAL_TOO_LARGE", left=credit.left)
    if take_back(world, credit, wanted, policy) and credit.asset == "GROWTH":
        world.look(world.holder(credit.member))


def reverse_locked(world: World, waiting: Waiting) -> None:
    """What nobody has yet cannot be taken back."""
    raise Refused("TRANSFER_NOT_REVERSIBLE", reason="LOCKED_REWARD")


def take_back(world: World, credit: Credit, wanted: int, policy: str) -> int:
    """From who has it by now: from the lot that it went into, then from what goes bad soonest; what
    is not there is owed if the policy says so. All that is taken or owed, the campaign may give
    again. How much was taken."""
    if wanted <= 0 or policy == "ONLY_PENDING":
        return 0
    today, asset = world.day_of(world.now), credit.asset
    wallet = world.holder(credit.member).wallet
    taken = min(wanted, wallet.spendable(asset, today))
    wallet.take(asset, taken, today, first=credit.good_until)
    owed = wanted - taken if policy == "UNLIMITED" else 0
    wallet.owed[asset] += owed
    credit.taken += taken + owed
    world.campaigns[credit.campaign].book(asset, -taken - owed, 0)
    world.met["taken back"] += taken > 0
    world.met["owed"] += owed > 0
    return taken


def give_back(world: World, spending: Spending, amount: int | None) -> None:
    """Into the lot that had paid, of who has everything by now. What has gone bad meanwhile repays
    nothing, and stays with who had spent it."""
    left = spending.amount - spending.given_back
    wanted = left if amount is None else amount
    if wanted > left or not left:
        raise Refused("REVERSAL_TOO_LARGE", left=left)
    member, asset = world.holder(spending.member), spending.asset
    if spending.day < world.day_of(world.now):
        member = world.members[spending.member]
        member.wallet.put(asset, wanted, spending.day)
    else:
        world.met["repaid"] += member.wallet.earn(asset, wanted, spending.day) > 0
    spending.given_back += wanted
    if asset == "GROWTH" and not member.merged_into:
        world.look(member)


def reverse_scan(world: World, name: str) -> None:
    """What a consumer's scan gave to the consumer and to the guide, each by the policy of what
    granted it. The bottle stays claimed, and the caps counted of the guide and the device."""
    record = world.scans[name]
    if record.role != "CONSUMER":
        raise Refused("SCAN_NOT_REVERSIBLE", reason="PRE_SCAN")
    if record.unpaid is not None:
        raise Refused("SCAN_NOT_REVERSIBLE", reason="NOT_PAID")
    if record.reversed:
        raise Refused("SCAN_NOT_REVERSIBLE", reason="ALREADY_REVERSED")
    record.reversed = True
    _reverse_leg(world, "CONSUMER", (name,))
    _reverse_leg(world, "GUIDE", record.guide_grants)
    if record.terms is not None and record.counted is not None:
        member, day = record.counted
        campaign = world.campaigns[record.terms.code]
        campaign.uncount(record.terms, {"MEMBER": member}, day)


def _reverse_leg(world: World, role: str, grants: tuple[str, ...]) -> None:
    for waiting in list(world.waiting):
        if waiting.granted_by in grants and world.members[waiting.member].role == role:
            world.met["void with its scan"] += 1
            world.void(waiting)
    lowered = {}
    for credit in world.credits:
        member = world.holder(credit.member)
        if credit.granted_by in grants and member.role == role:
            terms = world.scans[credit.granted_by].terms
            policy = terms.return_policy(role) if terms else ""
            if take_back(world, credit, credit.left, policy) and credit.asset == "GROWTH":
                lowered[member.name] = member
            world.met[f"{role}'s leg"] += 1
    for member in lowered.values():
        world.look(member)
