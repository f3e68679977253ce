"""Brands on one server that have agreed to issue one another's coupons, each run by its public
surface alone: operators, members, tills, and a key for its systems."""

import asyncio
import base64
import csv
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from typing import Any

import pyotp

from tests.api import Api, Caller, Host
from tests.scenarios.owed import Line
from tests.scenarios.shop import Logged, eventually

SCOPES = (
    *("ISSUE_COUPONS", "READ_COUPONS", "REDEEM_COUPONS"),
    *("MATCH_MEMBERS", "READ_STATEMENTS"),
)
USABLE_DAYS = 365
CLERK_NUMBER = "0001"
WARNING_FEN = 1_000
SECRET = "query ($id: ID!) { matchSecret(agreementId: $id) { ... on MatchSecret { secret } } }"
MATCHED = """query ($id: ID!, $tokens: [String!]!) { matchedMembers(agreementId: $id,
  tokens: $tokens) { ... on MatchedMembers { matched } } }"""
WALLET = "{ me { coupons(status: ISSUED, first: 100) { nodes { code templateCode } } } }"


@dataclass
class Ally:
    """One brand. ``key`` is its systems'; ``clerk`` has signed in at its till; ``members`` by
    phone."""

    slug: str
    api: Api
    admin: Caller
    key: Caller
    till_id: str
    clerk_id: str
    clerk: Caller
    members: dict[str, Caller] = field(default_factory=dict)

    async def take(self, code: str, receipt: str, *, by_key: bool) -> str:
        """A coupon used up at the till: the redemption's id."""
        if by_key:
            done = await self.key.done(
                "redeemPartnersCoupon",
                code=code,
                tillId=self.till_id,
                clerkId=self.clerk_id,
                idempotencyKey=receipt,
            )
            return str(done["redemption"]["id"])
        held = (await self.clerk.done("holdCoupon", code=code))["redemption"]["id"]
        await self.clerk.done("captureRedemption", redemptionId=held, idempotencyKey=receipt)
        return str(held)

    async def take_back(self, redemption_id: str, *, by_key: bool) -> None:
        said = {"redemptionId": redemption_id, "reason": "退货"}
        if by_key:
            at = {"tillId": self.till_id, "clerkId": self.clerk_id}
            await self.key.done("reversePartnersRedemption", **said, **at)
        else:
            await self.clerk.done("reverseRedemption", **said)

    async def file(self, statement_id: str) -> list[tuple[str, str, int]]:
        """(kind, id, fen) of the lines of a statement as CSV, as the brand's systems get it."""
        reply = await self.api.client.get(
            "/downloads/clearing.csv",
            params={"statement": statement_id, "language": "en"},
            headers={"authorization": f"Bearer {self.key.token}"},
        )
        assert reply.status_code == 200
        rows = csv.DictReader(StringIO(reply.content.decode("utf-8-sig")))
        return [(row["kind"], row["id"], int(row["amount_fen"])) for row in rows]


@dataclass(frozen=True)
class Offer:
    """A line under its agreement; ``tokens`` name the host's members."""

    line: Line
    agreement_id: str
    template_id: str
    tokens: Mapping[str, str]


async def open_ally(
    api: Api, host: Host, server: Logged, slug: str, phones: Sequence[str] = ()
) -> Ally:
    """Make the brand, with a till where a clerk works, a key, and members with these phones."""
    email = f"admin@{slug}.example"
    made = await host.run("brand", "create", slug, "--admin-email", email)
    signed = await api.nobody.done(
        "signInOperator",
        brand=slug,
        email=email,
        password=made["admin_password"],
        totp=pyotp.TOTP(made["admin_totp_secret"]).now(),
    )
    admin = api.signed_in(signed["token"])
    wanted = {"name": "ERP", "scopes": list(SCOPES), "requestsPerMinute": 10_000}
    key = await admin.done("createPartnerKey", **wanted)
    place = await admin.done(
        "createPlace",
        code="shop",
        name=f"{slug}门店",
        address="上海市黄浦区南京东路1号",
        payoutThresholdFen=100_000,
    )
    place_id = place["place"]["id"]
    till = await admin.done("createTill", placeId=place_id, name="1")
    clerk = await admin.done("createClerk", placeId=place_id, number=CLERK_NUMBER, name="店员")
    at_till = await api.nobody.done(
        "signInClerk",
        brand=slug,
        tillKey=till["key"],
        clerkNumber=CLERK_NUMBER,
        pin=clerk["pin"],
    )
    ally = Ally(
        slug,
        api,
        admin,
        api.signed_in(key["key"]),
        till["till"]["id"],
        clerk["clerk"]["id"],
        api.signed_in(at_till["token"]),
    )
    for phone in phones:
        ally.members[phone] = await _member(api, server, slug, phone)
    return ally


async def _member(api: Api, server: Logged, slug: str, phone: str) -> Caller:
    await api.nobody.done("requestSignInCode", brand=slug, phone=phone)
    codes = re.findall(rf"sign-in code for \+86{phone}: (\d{{6}})", server.log_text())
    signed = await api.nobody.done(
        "signInByCode", brand=slug, phone=phone, code=codes[-1], role="CONSUMER"
    )
    member = api.signed_in(signed["token"])
    await member.done("setBirthday", month=5, day=17)  # enrolled by that
    return member


async def agree(allies: Mapping[str, Ally], lines: Sequence[Line], first_on: date) -> list[Offer]:
    """One agreement of two brands on all these lines: each host brings in its own, the second one
    by proposing again; then both sign."""
    sides = sorted({brand for line in lines for brand in (line.host, line.issuer)})
    ids = {line.code: await _template(allies[line.host], line) for line in lines}
    known: list[Line] = []
    for host in dict.fromkeys(line.host for line in lines):
        known += [line for line in lines if line.host == host]
        [partner] = set(sides) - {host}
        terms = _terms(known, ids, host, first_on)
        proposed = await allies[host].admin.done(
            "proposeAgreement", partnerSlug=partner, terms=terms
        )
    agreement = proposed["agreement"]
    digest = max(agreement["versions"], key=lambda version: int(version["number"]))["digest"]
    for side in sides:
        # The agreement has one id on both sides.
        await allies[side].admin.done("signAgreement", agreementId=agreement["id"], digest=digest)
    known_by = await asyncio.gather(*(_tokens(allies, agreement["id"], line) for line in lines))
    return [
        Offer(line, agreement["id"], ids[line.code], tokens)
        for line, tokens in zip(lines, known_by, strict=True)
    ]


async def _template(host: Ally, line: Line) -> str:
    made = await host.admin.done(
        "createCouponTemplate",
        code=line.code,
        kind="AMOUNT_OFF",
        nameZh=line.code,
        nameEn=line.code,
        amountOffFen=line.cost_fen,
        usableDays=USABLE_DAYS,
        costFen=line.cost_fen,
        feeFen=line.fee_fen,
    )
    return str(made["template"]["id"])


def _terms(
    lines: Sequence[Line], ids: Mapping[str, str], proposer: str, first_on: date
) -> dict[str, Any]:
    def side(brand: str) -> str:
        return "OWN" if brand == proposer else "PARTNER"

    return {
        "firstOn": first_on.isoformat(),
        "statementPeriod": "MONTH",
        "funding": [
            {"issuer": side(line.issuer), "warningFen": WARNING_FEN}
            | (
                {"kind": "PREPAID"}
                if line.limit_fen is None
                else {"kind": "POSTPAID", "limitFen": line.limit_fen}
            )
            for line in lines
        ],
        "lines": [
            {
                "templateId": ids[line.code],
                "issuer": side(line.issuer),
                "redeemers": [side(brand) for brand in line.redeemers],
                "issuerShare": dict([line.issuer_share]),
                "hostShare": dict([line.host_share]),
                "rounding": line.rounding,
                "issueFeeFen": line.issue_fee_fen,
                "redeemFeeFen": line.redeem_fee_fen,
                "quotas": [{"window": window, "countMax": most} for window, most in line.quotas],
            }
            for line in lines
        ],
    }


async def _tokens(allies: Mapping[str, Ally], agreement_id: str, line: Line) -> dict[str, str]:
    """What the issuer calls the host's members, by phone, once the host knows them by it."""
    key = allies[line.issuer].key
    secret = (await key.ask(SECRET, id=agreement_id))["matchSecret"]["secret"]
    tokens = {phone: token_of(secret, phone) for phone in allies[line.host].members}

    async def ask() -> Any:
        found = await key.ask(MATCHED, id=agreement_id, tokens=list(tokens.values()))
        return found["matchedMembers"]["matched"]

    await eventually(ask, all)
    return tokens


def token_of(secret: str, phone: str) -> str:
    """As docs/partner-api.md has it."""
    mac = hmac.digest(secret.encode(), f"phone:+86{phone}".encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


async def send_list(issuer: Ally, offer: Offer, name: str, tokens: Sequence[str]) -> list[str]:
    """What became of each row of a file, once the worker has issued them."""
    rows = [f"{token},{name}/{number}" for number, token in enumerate(tokens)]
    bearer = {"authorization": f"Bearer {issuer.key.token}"}
    client = issuer.api.client
    sent = await client.post(
        "/partners/issue-lists",
        params={"agreement": offer.agreement_id, "template": offer.template_id, "name": name},
        content="\n".join(["token,reference", *rows]).encode(),
        headers=bearer | {"idempotency-key": f"{offer.line.code} {name}"},
    )
    assert sent.status_code == 202, sent.text

    async def ask() -> list[str]:
        await asyncio.sleep(0.4)  # all lists of a week are asked for at once
        got = await client.get(f"/partners/issue-lists/{sent.json()['id']}.csv", headers=bearer)
        table = csv.DictReader(StringIO(got.content.decode("utf-8-sig")))
        return [row["result"] for row in table]

    return await eventually(ask, all)


async def usable_coupons(member: Caller) -> list[tuple[str, str]]:
    """(template code, number) of what a member has, in an order that does not hang on chance."""
    nodes = (await member.ask(WALLET))["me"]["coupons"]["nodes"]
    return sorted((node["templateCode"], node["code"]) for node in nodes)
