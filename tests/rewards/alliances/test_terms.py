"""What terms come to in fen, the text that is signed, and drafts that are refused."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import InvalidInput
from loyalty.ids import new_id
from rewards.alliances.checks import check_draft, check_lines
from rewards.alliances.terms import (
    Draft,
    Funding,
    FundingKind,
    Line,
    Quota,
    QuotaWindow,
    Rounding,
    Share,
    StatementPeriod,
    Terms,
    reserve_fen,
    shares_fen,
    split,
    terms_of,
    text_of,
)

HOST, PARTNER, STRANGER = UUID(int=1), UUID(int=2), UUID(int=3)


def a_line(**fields: Any) -> Line:
    given: dict[str, Any] = {
        "template_id": UUID(int=10),
        "issuer_id": PARTNER,
        "redeemer_ids": (HOST, PARTNER),
        "issuer_share": Share(basis_points=6_000),
        "host_share": Share(fen=50),
        "host_id": HOST,
        "template_code": "tea",
        "name_zh": "茶",
        "name_en": "Tea",
        "value_fen": 350,
    }
    return Line(**given | fields)


def a_draft(*lines: Line, **fields: Any) -> Draft:
    given: dict[str, Any] = {
        "first_on": date(2026, 1, 1),
        "funding": (Funding(PARTNER, FundingKind.PREPAID, 0, 0),),
        "lines": lines or (a_line(),),
    }
    return Draft(**given | fields)


def check(draft: Draft) -> None:
    check_draft(draft, (HOST, PARTNER))
    check_lines(draft, [line for line in draft.lines if isinstance(line, Line)])


@pytest.mark.parametrize(
    ("issuer_id", "redeemer_id", "owed_fen"),
    [
        (PARTNER, HOST, 210),  # the issuer's share; the host keeps the rest
        (PARTNER, PARTNER, 50),  # the host's share; the issuer is the redeemer itself
        (HOST, PARTNER, 260),  # both shares are the host's
        (HOST, HOST, 0),
    ],
)
def test_what_the_other_side_bears_it_owes_the_redeemer(
    issuer_id: UUID, redeemer_id: UUID, owed_fen: int
) -> None:
    assert split(350, a_line(issuer_id=issuer_id), redeemer_id) == owed_fen


def test_halves_of_a_fen_go_as_the_line_names_it() -> None:
    half = Share(basis_points=5_000)
    up = a_line(issuer_share=half, host_share=half, rounding=Rounding.HALF_UP)
    down = replace(up, rounding=Rounding.DOWN)
    assert shares_fen(351, up) == (176, 175)
    assert shares_fen(351, down) == (175, 175)


@given(
    value_fen=st.integers(0, 10**12),
    issuer=st.integers(0, 10_000),
    host=st.integers(0, 10**12),
    rounding=st.sampled_from(Rounding),
)
def test_shares_are_never_more_than_the_value(
    value_fen: int, issuer: int, host: int, rounding: Rounding
) -> None:
    line = a_line(
        issuer_share=Share(basis_points=issuer), host_share=Share(fen=host), rounding=rounding
    )
    shares = shares_fen(value_fen, line)
    assert min(shares) >= 0
    assert sum(shares) <= value_fen


def test_an_issuer_reserves_its_share_only_where_the_host_may_redeem() -> None:
    assert reserve_fen(a_line(redeem_fee_fen=7), 350) == 217
    assert reserve_fen(a_line(redeem_fee_fen=7, redeemer_ids=(PARTNER,)), 350) == 7
    assert reserve_fen(a_line(issuer_id=HOST), 350) == 0


def test_the_text_that_is_signed_says_all_of_the_terms_and_of_which_version_they_are() -> None:
    terms = Terms(
        brand_ids=(HOST, PARTNER),
        timezone="Asia/Shanghai",
        first_on=date(2026, 1, 1),
        last_on=date(2026, 12, 31),
        statement_period=StatementPeriod.WEEK,
        funding=(Funding(PARTNER, FundingKind.POSTPAID, 5, 2),),
        lines=(a_line(quotas=(Quota(QuotaWindow.WEEK, 9, "autumn"),), rounding=Rounding.DOWN),),
    )
    agreement_id = new_id()
    text = text_of(agreement_id, 3, terms)
    assert terms_of(text) == terms
    assert text != text_of(agreement_id, 4, terms)
    assert text != text_of(new_id(), 3, terms)


@pytest.mark.parametrize(
    ("field", "draft"),
    [
        ("terms.firstOn", a_draft(first_on=date(1999, 12, 31))),
        ("terms.lastOn", a_draft(last_on=date(2025, 12, 31))),
        ("terms.lines", a_draft(lines=())),
        ("terms.lines", a_draft(a_line(), a_line())),
        ("terms.lines[0].issuer", a_draft(a_line(issuer_id=STRANGER))),
        ("terms.lines[0].redeemers", a_draft(a_line(redeemer_ids=()))),
        ("terms.lines[0].redeemers", a_draft(a_line(redeemer_ids=(STRANGER,)))),
        ("terms.lines[0].redeemers", a_draft(a_line(redeemer_ids=(HOST, HOST)))),
        ("terms.lines[0].redeemers", a_draft(a_line(issuer_id=HOST, redeemer_ids=(HOST,)))),
        ("terms.lines[0].issuerShare", a_draft(a_line(issuer_share=Share()))),
        ("terms.lines[0].issuerShare", a_draft(a_line(issuer_share=Share(1, 1)))),
        (
            "terms.lines[0].issuerShare.basisPoints",
            a_draft(a_line(issuer_share=Share(basis_points=10_001))),
        ),
        ("terms.lines[0].issuerShare.fen", a_draft(a_line(issuer_share=Share(fen=351)))),
        ("terms.lines[0].hostShare.fen", a_draft(a_line(host_share=Share(fen=-1)))),
        (
            "terms.lines[0].hostShare",
            a_draft(a_line(issuer_share=Share(fen=301), host_share=Share(fen=50))),
        ),
        (
            "terms.lines[0].hostShare",
            a_draft(a_line(host_share=Share(basis_points=4_001))),
        ),
        ("terms.lines[0].issueFeeFen", a_draft(a_line(issue_fee_fen=-1))),
        ("terms.lines[0].issueFeeFen", a_draft(a_line(issuer_id=HOST, issue_fee_fen=1))),
        ("terms.lines[0].redeemFeeFen", a_draft(a_line(issuer_id=HOST, redeem_fee_fen=1))),
        (
            "terms.lines[0].quotas",
            a_draft(a_line(issuer_id=HOST, quotas=(Quota(QuotaWindow.ALL, 1),))),
        ),
        (
            "terms.lines[0].quotas",
            a_draft(a_line(quotas=(Quota(QuotaWindow.DAY, 1), Quota(QuotaWindow.DAY, 2)))),
        ),
        (
            "terms.lines[0].quotas[0].countMax",
            a_draft(a_line(quotas=(Quota(QuotaWindow.DAY, 0),))),
        ),
        (
            "terms.lines[0].quotas",
            a_draft(
                a_line(quotas=(Quota(QuotaWindow.DAY, 1, "a"), Quota(QuotaWindow.DAY, 2, "a")))
            ),
        ),
        (
            "terms.lines[0].quotas[0].campaign",
            a_draft(a_line(quotas=(Quota(QuotaWindow.DAY, 1, " "),))),
        ),
        (
            "terms.lines[0].quotas[0].campaign",
            a_draft(a_line(quotas=(Quota(QuotaWindow.DAY, 1, "a" * 41),))),
        ),
        ("terms.funding", a_draft(funding=())),
        ("terms.funding", a_draft(funding=(Funding(HOST, FundingKind.PREPAID, 0, 0),))),
        ("terms.funding", a_draft(a_line(issuer_id=HOST))),
        (
            "terms.funding[0].limitFen",
            a_draft(funding=(Funding(PARTNER, FundingKind.PREPAID, 1, 0),)),
        ),
        (
            "terms.funding[0].limitFen",
            a_draft(funding=(Funding(PARTNER, FundingKind.POSTPAID, 0, 0),)),
        ),
        (
            "terms.funding[0].warningFen",
            a_draft(funding=(Funding(PARTNER, FundingKind.PREPAID, 0, -1),)),
        ),
    ],
)
def test_a_bad_draft_is_refused_with_its_fields_path(field: str, draft: Draft) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(draft)
    assert refused.value.details["field"] == field


def test_a_good_draft_is_not_refused() -> None:
    check(a_draft())
    check(a_draft(a_line(issuer_id=HOST, redeemer_ids=(PARTNER,)), funding=()))
