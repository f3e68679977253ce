"""Scene 12: a quarter of three brands and a partner that calls by key alone. A thousand coupons and
more are issued, redeemed and taken back; all that is owed is computed a second time by ``owed.py``,
and at every month's end both sides of every statement are that, to the fen. Netting clears it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import partial
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest_asyncio

from tests.api import Host, api_of
from tests.scenarios.alliance import Ally, Offer, agree, open_ally, send_list, usable_coupons
from tests.scenarios.calendar_days import CalendarDays, next_year
from tests.scenarios.owed import Books, Line
from tests.scenarios.shop import eventually
from tests.servers import ServerFactory

SEED = 12
YEAR = next_year()
A, B, C, D = "brand-a", "brand-b", "brand-c", "outside-d"
HOSTS, ALL = (A, B, C), (A, B, C, D)
MEMBERS = 8
"""Of each host."""
WEEKS = [date(YEAR, 1, 4) + timedelta(weeks=week) for week in range(13)]
ROWS_MIN, ROWS_MAX = 12, 20
"""Of a list; one a line and week."""
SHOPPERS, COUPONS_MAX = 3, 5
"""Members of each host who come in a week, and how many coupons they use."""
BY_KEY, TAKEN_BACK, REGRETTED_LATER = 0.7, 0.16, 0.5
PAID_IN_FEN = 18_000
TOP_UP_WEEK = 7

TEA = Line(
    code="a-tea",
    host=A,
    issuer=B,
    cost_fen=500,
    fee_fen=21,
    redeemers=(A, B),
    issuer_share=("basisPoints", 3_333),
    host_share=("fen", 50),
    issue_fee_fen=5,
    redeem_fee_fen=7,
    quotas=[("DAY", 16)],
    limit_fen=1_000_000,
)
CAKE = Line(
    code="b-cake",
    host=B,
    issuer=A,
    cost_fen=999,
    fee_fen=0,
    redeemers=(A, B),
    issuer_share=("basisPoints", 6_667),
    host_share=("basisPoints", 1_234),
    rounding="DOWN",
    redeem_fee_fen=3,
    limit_fen=2_000_000,
)
BUS = Line(
    code="c-bus",
    host=C,
    issuer=B,
    cost_fen=333,
    fee_fen=34,
    redeemers=(B, C),
    issuer_share=("fen", 301),
    host_share=("basisPoints", 1_500),
    issue_fee_fen=11,
)
FILM = Line(
    code="c-film",
    host=C,
    issuer=A,
    cost_fen=1_250,
    fee_fen=55,
    redeemers=(A, C),
    issuer_share=("basisPoints", 5_005),
    host_share=("basisPoints", 4_995),
    issue_fee_fen=1,
    redeem_fee_fen=2,
    quotas=[("MONTH", 60)],
    limit_fen=2_000_000,
)
TOY = Line(
    code="a-toy",
    host=A,
    issuer=D,
    cost_fen=777,
    fee_fen=70,
    redeemers=(A, D),
    issuer_share=("basisPoints", 7_500),
    host_share=("fen", 99),
    rounding="DOWN",
    issue_fee_fen=9,
    redeem_fee_fen=4,
    limit_fen=2_000_000,
)
INK = Line(
    code="b-ink",
    host=B,
    issuer=D,
    cost_fen=450,
    fee_fen=5,
    redeemers=(B, D),
    issuer_share=("basisPoints", 2_501),
    host_share=("fen", 120),
    issue_fee_fen=2,
    quotas=[("ALL", 180)],
    limit_fen=1_000_000,
)
AGREEMENTS = ((TEA, CAKE), (BUS,), (FILM,), (TOY,), (INK,))
PAIRS = sorted({tuple(sorted((line.host, line.issuer))) for [line, *_] in AGREEMENTS})

STATEMENTS = """{ clearingStatements(first: 100) { nodes { id number partnerSlug openingFen
  closingFen entryCount confirmedAt partnerConfirmedAt } } }"""
POSITIONS = "{ clearingPositions { partnerSlug owedFen reservedFen } }"
ADJUSTMENTS = "{ clearingAdjustments { nodes { id owedFen } } }"
RUNS = "{ nettingRuns { nodes { id status netFen legs { partnerSlug owedFen paysFen } } } }"


@dataclass
class Quarter:
    """What is played: the brands, what they issue, the model, and what was done how often."""

    allies: dict[str, Ally]
    offers: list[Offer]
    books: Books
    random: Random = field(default_factory=lambda: Random(SEED))
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    regretted: list[tuple[Line, str, str, bool]] = field(default_factory=list)
    """What is taken back on the first day of the next month."""


@pytest_asyncio.fixture
async def quarter(
    server_process: ServerFactory, command_env: dict[str, str], days: CalendarDays, tmp_path: Path
) -> AsyncIterator[Quarter]:
    """The first of January: all have signed."""
    # Clerks who have signed in stay so as everybody else does.
    environment = days.environment | {"LOYALTY_CLERK_SESSION_TTL_SECONDS": str(366 * 86_400)}
    server = server_process(environment=environment)
    async with api_of(server.url) as api:
        host = Host(command_env | environment)
        allies = {}
        for number, slug in enumerate(ALL):
            count = MEMBERS if slug in HOSTS else 0
            phones = [f"138001{number}{member:04d}" for member in range(count)]
            allies[slug] = await open_ally(api, host, server, slug, phones)
        await days.go_to(date(YEAR, 1, 1))
        first = date(YEAR, 1, 1)
        agreed = await asyncio.gather(*(agree(allies, lines, first) for lines in AGREEMENTS))
        yield Quarter(allies, [offer for offers in agreed for offer in offers], Books(first))
        assert (await host.run("audit"))["broken"] == 0


async def test_a_quarter_reconciles_to_the_fen_on_every_side_and_netting_clears_it(
    quarter: Quarter, days: CalendarDays
) -> None:
    await pay(quarter, B, C, PAID_IN_FEN)
    for week, on in enumerate(WEEKS):
        if on.month != quarter.books.today.month:
            await end_month(quarter, days)
        await days.go_to(on)
        quarter.books.today = on
        if week == TOP_UP_WEEK:
            await pay(quarter, B, C, PAID_IN_FEN)
        await issue(quarter, f"week {week}")
        await redeem(quarter, f"week {week}")
    await end_month(quarter, days)
    await look_back(quarter)
    await net(quarter)


async def pay(quarter: Quarter, debtor: str, creditor: str, fen: int) -> None:
    """Money that has come is noted by who has it."""
    paid = {"partnerSlug": debtor, "amountFen": fen, "reference": "bank"}
    await quarter.allies[creditor].admin.done("recordClearingPayment", **paid)
    quarter.books.owe(debtor, creditor, -fen)


async def issue(quarter: Quarter, name: str) -> None:
    """A list of every line at once, then a coupon more of each. Where there is not room for all,
    the first rows have it."""
    allies, books = quarter.allies, quarter.books
    wanted = {}
    for offer in quarter.offers:
        count = quarter.random.randint(ROWS_MIN, ROWS_MAX)
        wanted[offer.line.code] = quarter.random.choices(list(offer.tokens.values()), k=count)
    found = await asyncio.gather(
        *(
            send_list(allies[offer.line.issuer], offer, name, wanted[offer.line.code])
            for offer in quarter.offers
        )
    )
    for offer, results in zip(quarter.offers, found, strict=True):
        line = offer.line
        room, refusal = books.room(line)
        issued = min(room, len(results))
        assert results == ["ISSUED"] * issued + [refusal] * (len(results) - issued), line.code
        books.issue(line, issued)
        count_issued(quarter, line, issued, refusal, len(results) - issued)
        await issue_one(quarter, offer, name)


async def issue_one(quarter: Quarter, offer: Offer, reference: str) -> None:
    line = offer.line
    result = await quarter.allies[line.issuer].key.do(
        "issuePartnersCoupon",
        agreementId=offer.agreement_id,
        templateId=offer.template_id,
        memberToken=quarter.random.choice(list(offer.tokens.values())),
        reference=reference,
    )
    room, refusal = quarter.books.room(line)
    if room:
        assert result["issue"]["reservedFen"] == line.reserved_fen, line.code
        assert result["issue"]["feeFen"] == line.issue_fee_fen
        quarter.books.issue(line, 1)
    else:
        assert result["code"] == refusal, line.code
    count_issued(quarter, line, min(room, 1), refusal, 1 - min(room, 1))


def count_issued(quarter: Quarter, line: Line, issued: int, refusal: str, refused: int) -> None:
    quarter.done["issued"] += issued
    quarter.refused[line.code, refusal] += refused


async def redeem(quarter: Quarter, name: str) -> None:
    """Some members come to some tills; some bring back what they took, now or next month."""
    random, lines = quarter.random, {offer.line.code: offer.line for offer in quarter.offers}
    is_last_of_month = (quarter.books.today + timedelta(weeks=1)).month != quarter.books.today.month
    for host in HOSTS:
        for phone in random.sample(sorted(quarter.allies[host].members), SHOPPERS):
            coupons = await usable_coupons(quarter.allies[host].members[phone])
            picked = Counter(random.choices([code for code, _ in coupons], k=COUPONS_MAX))
            for code, count in sorted(picked.items()):
                line = lines[code]
                for number in [number for has, number in coupons if has == code][:count]:
                    at = random.choice(line.redeemers)
                    by_key = at == D or (at == line.issuer and random.random() < BY_KEY)
                    receipt = f"{name}/{quarter.done['redeemed']}"
                    id = await quarter.allies[at].take(number, receipt, by_key=by_key)
                    quarter.books.redeem(line, at)
                    quarter.done["redeemed"] += 1
                    quarter.done["redeemed by key"] += by_key
                    if random.random() >= TAKEN_BACK:
                        pass
                    elif is_last_of_month and random.random() < REGRETTED_LATER:
                        quarter.regretted.append((line, at, id, by_key))
                    else:
                        await take_back(quarter, line, at, id, by_key)


async def take_back(quarter: Quarter, line: Line, at: str, id: str, by_key: bool) -> None:
    await quarter.allies[at].take_back(id, by_key=by_key)
    quarter.books.redeem(line, at, -1)
    quarter.done["taken back"] += 1


async def end_month(quarter: Quarter, days: CalendarDays) -> None:
    """The first of the next one: what is taken back today is of this month, whenever statements
    are drawn. January ends with something to put right, and with a payment."""
    month = quarter.books.today.month
    first = date(YEAR, month + 1, 1)
    await days.go_to(first, time(0, 30))
    quarter.books.today = first
    for regret in quarter.regretted:
        await take_back(quarter, *regret)
    quarter.done["taken back later"] += len(quarter.regretted)
    quarter.regretted.clear()
    for slug in ALL:
        await eventually(partial(statements, quarter, slug, month), bool)
    if month == 1:
        await put_right(quarter, A, D, 13)
    for one, other in PAIRS:
        await reconcile(quarter, one, other, month)
    if month == 1:
        closing = quarter.books.owed(A, B, month)
        debtor, creditor = (A, B) if closing > 0 else (B, A)
        await pay(quarter, debtor, creditor, abs(closing))


async def statements(quarter: Quarter, slug: str, month: int) -> dict[str, Any]:
    """The brand's copies of a month, by partner; none before all of them are drawn."""
    nodes = (await quarter.allies[slug].admin.ask(STATEMENTS))["clearingStatements"]["nodes"]
    found = {node["partnerSlug"]: node for node in nodes if node["number"] == month}
    return found if len(found) == sum(slug in pair for pair in PAIRS) else {}


async def put_right(quarter: Quarter, proposer: str, other: str, fen: int) -> None:
    said = {"partnerSlug": other, "owedFen": fen, "reason": "算错了"}
    await quarter.allies[proposer].admin.done("proposeClearingAdjustment", **said)
    admin = quarter.allies[other].admin
    [found] = (await admin.ask(ADJUSTMENTS))["clearingAdjustments"]["nodes"]
    assert found["owedFen"] == -fen
    deciding = {"clearingAdjustmentId": found["id"], "accept": True}
    await admin.done("decideClearingAdjustment", **deciding)
    quarter.books.owe(proposer, other, fen, quarter.books.today.month - 1)


async def reconcile(quarter: Quarter, one: str, other: str, month: int) -> None:
    """Both copies are what was done, entry by entry; both sides confirm them."""
    files = []
    for own, partner in ((one, other), (other, one)):
        ally = quarter.allies[own]
        entries = quarter.books.between(own, partner, [month])
        opening = quarter.books.owed(own, partner, month - 1)
        statement = (await statements(quarter, own, month))[partner]
        told = [statement[name] for name in ("openingFen", "closingFen", "entryCount")]
        assert told == [opening, opening + sum(entries), len(entries)], (own, partner, month)

        first, *lines, last = file = await ally.file(statement["id"])
        assert (first[0], first[2]) == ("OPENING", opening)
        assert (last[0], last[2]) == ("CLOSING", opening + sum(entries))
        assert Counter(fen for *_, fen in lines) == Counter(entries)
        files.append([(kind, id, fen if own == one else -fen) for kind, id, fen in file])
        closing = {"statementId": statement["id"], "closingFen": statement["closingFen"]}
        await ally.admin.done("confirmClearingStatement", **closing)
    assert files[0] == files[1], "line by line the other way round"
    for slug, partner in ((one, other), (other, one)):
        frozen = (await statements(quarter, slug, month))[partner]
        assert None not in (frozen["confirmedAt"], frozen["partnerConfirmedAt"])


async def positions(quarter: Quarter, slug: str) -> dict[str, tuple[int, int]]:
    """(owed, reserved) with each partner."""
    found = (await quarter.allies[slug].admin.ask(POSITIONS))["clearingPositions"]
    return {each["partnerSlug"]: (each["owedFen"], each["reservedFen"]) for each in found}


async def look_back(quarter: Quarter) -> None:
    """Much was done, every limit was met, and all stand as they should."""
    done, refused = quarter.done, quarter.refused
    assert done["issued"] >= 1_000, done
    assert done["redeemed"] >= 500, done
    assert done["redeemed by key"] >= 100, done
    assert done["taken back"] >= 60, done
    assert done["taken back later"] > 0, done
    assert {key for key, count in refused.items() if count} == {
        (BUS.code, "FUNDS_TOO_LOW"),
        *((line.code, "ISSUE_QUOTA_REACHED") for line in (TEA, FILM, INK)),
    }
    for slug in ALL:
        partners = {other for pair in PAIRS if slug in pair for other in pair} - {slug}
        expected = {
            other: (quarter.books.owed(slug, other), quarter.books.reserved[slug, other])
            for other in partners
        }
        assert await positions(quarter, slug) == expected, slug


async def net(quarter: Quarter) -> None:
    """All four approve; what is left are fewer payments than there are brands, and then nothing."""
    books, allies = quarter.books, quarter.allies
    nets = {one: sum(books.owed(one, other) for other in ALL if other != one) for one in ALL}
    await allies[A].admin.done("proposeNetting", partnerSlugs=[B, C, D])
    for slug in ALL:
        [run] = (await allies[slug].admin.ask(RUNS))["nettingRuns"]["nodes"]
        assert (run["status"], run["netFen"]) == ("PROPOSED", nets[slug]), slug
        owed = {leg["partnerSlug"]: leg["owedFen"] for leg in run["legs"] if leg["owedFen"]}
        others = {other: books.owed(slug, other) for other in ALL if other != slug}
        assert owed == {other: fen for other, fen in others.items() if fen}
        approving = {"nettingRunId": run["id"], "netFen": nets[slug]}
        await allies[slug].admin.done("approveNetting", **approving)

    after = {slug: await positions(quarter, slug) for slug in ALL}
    for slug in ALL:
        assert sum(owed for owed, _ in after[slug].values()) == nets[slug], "preserved"
    payments = {
        (one, other): after[one][other][0]
        for one, other in combinations(ALL, 2)
        if after[one].get(other, (0, 0))[0]
    }
    assert len(payments) < len(ALL), payments
    for (one, other), fen in payments.items():
        assert after[other][one][0] == -fen
        debtor, creditor = (one, other) if fen > 0 else (other, one)
        await pay(quarter, debtor, creditor, abs(fen))
    for slug in ALL:
        left = await positions(quarter, slug)
        assert [owed for owed, _ in left.values() if owed] == [], slug
