"""What people buy, and what they give back of it."""

from dataclasses import replace
from datetime import UTC, date, datetime, time

from tests.model.records import Line, Purchase
from tests.model.reversing import take_back
from tests.model.world import Refused, World

Pieces = tuple[tuple[int, int], ...]
"""(pieces, fen) of each line of a purchase, from line 1 on."""


def purchase(
    world: World, ref: str, person: str, on: date, fen: int, lines: Pieces
) -> tuple[str, int]:
    """(status, points granted): the event's own date counts, all or nothing is given."""
    body = (person, on, fen, lines)
    known = world.purchases.get(ref)
    if known is not None:
        return ("ALREADY_RECORDED", known.points) if known.body == body else ("CONFLICT", 0)
    member = world.enrol(person, "CONSUMER")
    at = datetime.combine(on, time(12), world.zone).astimezone(UTC)
    campaign = world.campaign_for("PURCHASE", None, at)
    gifts: list[tuple[str, int]] = []
    if campaign is not None and not member.frozen:
        gifts = world.gifts(campaign.terms, member, fen // 100)
    told: list[tuple[str, int, bool]] = []
    if campaign is not None and gifts:
        who: dict[str, str | None] = {"MEMBER": member.name}
        if campaign.allows(who, on) and campaign.affords(gifts):
            told = world.give(campaign, member, gifts, at, ref)
            campaign.count(who, on)
    points = sum(amount for asset, amount, waits in told if asset == "POINTS" and not waits)
    terms = campaign.terms if campaign is not None and told else None
    made = [Line(pieces, line_fen) for pieces, line_fen in lines]
    world.purchases[ref] = Purchase(body, member.name, on, fen, made, points, terms, {ref: fen})
    return "RECORDED", points


Given = tuple[int, int | None, int | None]
"""What is given back of a line: its number, how many pieces, for how many fen."""


def return_purchase(
    world: World, ref: str, return_ref: str, fen: int | None, line: Given | None
) -> None:
    """So many fen of a purchase, or of one line, or (neither) all that is left. The member keeps
    the share of each reward that it keeps of the purchase, rounded down."""
    bought, body = world.purchases[ref], (ref, fen, line)
    if return_ref in world.returns:
        if world.returns[return_ref] != body:
            raise Refused("REFERENCE_CONFLICT")
        world.met["returned again"] += 1
        return
    given = _give_back(bought, fen, line)
    world.returns[return_ref] = body
    bought.fen_back += given
    left = bought.fen - bought.fen_back
    if bought.fen:
        bought.over = left == 0
    else:
        bought.over = line is None or all(one.pieces_back == one.pieces for one in bought.lines)
    world.met["returned"] += 1
    _take_back(world, bought, left, return_ref)
    bought.lefts[return_ref] = left
    if bought.over and bought.terms is not None:
        campaign = world.campaigns[bought.terms.code]
        campaign.uncount(bought.terms, {"MEMBER": bought.member}, bought.on)


def _give_back(bought: Purchase, fen: int | None, given: Given | None) -> int:
    """How many fen."""
    left = bought.fen - bought.fen_back
    if bought.over:
        raise Refused("RETURN_TOO_LARGE", left=0)
    if given is None:
        if fen is not None and fen > left:
            raise Refused("RETURN_TOO_LARGE", left=left)
        return left if fen is None else fen
    number, pieces, fen = given
    line = bought.lines[number - 1]
    pieces_left, fen_left = line.pieces - line.pieces_back, line.fen - line.fen_back
    if pieces is not None and pieces > pieces_left:
        raise Refused("RETURN_TOO_LARGE", left=pieces_left)
    if fen is None:
        # What is kept is worth its share of the line, rounded down.
        worth = line.fen * (pieces_left - (pieces or 0)) // line.pieces
        fen = max(0, fen_left - worth)
    if fen > fen_left:
        raise Refused("RETURN_TOO_LARGE", left=fen_left)
    if fen > left:
        raise Refused("RETURN_TOO_LARGE", left=left)
    line.pieces_back += pieces or 0
    line.fen_back += fen
    return fen


def _take_back(world: World, bought: Purchase, left: int, return_ref: str) -> None:
    def keeps(amount: int, granted_by: str) -> int:
        if not bought.fen:
            return 0 if bought.over else amount
        return amount * left // bought.lefts[granted_by]

    policy = bought.terms.return_policy("CONSUMER") if bought.terms else ""
    lowered = None
    for credit in world.credits:
        if credit.granted_by in bought.lefts:
            wanted = credit.left - keeps(credit.amount, credit.granted_by)
            if take_back(world, credit, wanted, policy) and credit.asset == "GROWTH":
                lowered = world.holder(credit.member)
    if lowered is not None:
        world.look(lowered)
    for waiting in list(world.waiting):
        if waiting.granted_by in bought.lefts:
            kept = keeps(waiting.amount, waiting.granted_by)
            if kept != waiting.amount:
                world.met["less waits"] += 1
                world.void(waiting)
            if 0 < kept < waiting.amount:
                world.lock(replace(waiting, amount=kept, granted_by=return_ref))
