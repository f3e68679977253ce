"""Every refusal and every reason not to pay is provoked through GraphQL, and explained in
docs/errors.md; what is refused writes nothing."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from graphql_schema import limits
from graphql_schema.faults import Fault
from loyalty.db import Database
from loyalty.errors import all_refusals
from rewards.grants.models import ChannelUnpaidReason
from rewards.scans.models import GuideUnpaidReason, UnpaidReason, Verdict
from server.console import Exit
from tests.graphql_schema import (
    provocations,
    provocations_at_tills,
    provocations_of_alliances,
    provocations_of_programs,
    provocations_of_raffles,
    provocations_of_value,
)
from tests.graphql_schema.provoking import GUIDE_UNPAID, REFUSALS, UNPAID, Provocation
from tests.graphql_schema.stage import Stage, all_rows

ERRORS_PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

NOTED_BY = (
    provocations,
    provocations_at_tills,
    provocations_of_alliances,
    provocations_of_programs,
    provocations_of_raffles,
    provocations_of_value,
)
"""Whoever imports them has the lists of ``provoking`` filled."""
WAYS = [(code, way) for code in sorted(REFUSALS) for way in REFUSALS[code]]
_CODE_CELL = re.compile(r"\| `([A-Z_0-9]+)` \|(.*)\|$")
_LIMIT_CODE = re.compile(r'"([A-Z]+(?:_[A-Z]+)+)"')


def of(
    codes: type[UnpaidReason] | type[GuideUnpaidReason] | type[ChannelUnpaidReason],
) -> list[str]:
    return [code.value for code in codes]


@pytest.mark.parametrize(("code", "way"), WAYS, ids=lambda part: getattr(part, "__name__", part))
async def test_a_refusal_is_told_in_both_languages_and_writes_nothing(
    code: str, way: Provocation, stage: Stage, db: Database
) -> None:
    call = await way(stage)
    before = await all_rows(db)
    result = await call.send()
    after = await all_rows(db)
    assert (result["__typename"], result["code"]) == ("Refused", code)
    changed = {table for table in before if before[table] != after[table]}
    assert changed == call.keeps

    [refusal] = [refusal for refusal in all_refusals() if refusal.code == code]
    assert result["message"] == refusal.en.format_map(result["details"])
    told = await replace(call, caller=replace(call.caller, language="zh-CN")).send()
    assert told["message"] == refusal.zh.format_map(told["details"])


@pytest.mark.parametrize("reason", of(UnpaidReason))
async def test_a_scan_that_pays_its_scanner_nothing_is_recorded_with_the_reason(
    reason: str, stage: Stage
) -> None:
    call = await UNPAID[reason](stage)
    result = await call.send()
    assert result["__typename"] == "ScanCodeReceipt"
    assert result["unpaidReason"] == reason
    assert result["rewards"] == []
    await assert_recorded(stage, result["scanId"], reason, None)


@pytest.mark.parametrize("reason", of(GuideUnpaidReason))
async def test_a_paid_scan_without_a_guides_credit_says_why(reason: str, stage: Stage) -> None:
    call = await GUIDE_UNPAID[reason](stage)
    result = await call.send()
    assert (result["unpaidReason"], result["guideUnpaidReason"]) == (None, reason)
    assert [reward["amount"] for reward in result["rewards"]] == [100]
    await assert_recorded(stage, result["scanId"], None, reason)


async def assert_recorded(
    stage: Stage, scan_id: str, reason: str | None, guide_reason: str | None
) -> None:
    data = await stage.admin.ask(
        "query ($id: ID!) { node(id: $id)"
        " { ... on ScanEvent { unpaidReason guideUnpaidReason } } }",
        id=scan_id,
    )
    assert data["node"] == {"unpaidReason": reason, "guideUnpaidReason": guide_reason}


def test_every_code_is_provoked_and_no_other() -> None:
    assert set(REFUSALS) == {refusal.code for refusal in all_refusals()}
    assert set(UNPAID) == set(of(UnpaidReason))
    assert set(GUIDE_UNPAID) == set(of(GuideUnpaidReason))


def fault_codes() -> set[str]:
    """Of ``errors[]``: our faults, those of the limits, and what hides everything else."""
    of_limits = set(_LIMIT_CODE.findall(Path(limits.__file__).read_text()))
    return {fault.code for fault in Fault.__subclasses__()} | of_limits | {"INTERNAL"}


def page_tables() -> dict[str, dict[str, str]]:
    """The rest of each code's line in docs/errors.md, by heading and code."""
    tables: dict[str, dict[str, str]] = {}
    heading = ""
    for line in ERRORS_PAGE.read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        found = _CODE_CELL.fullmatch(line)
        if found:
            table = tables.setdefault(heading, {})
            assert found[1] not in table, f"{found[1]} has two lines"
            table[found[1]] = found[2]
    return tables


def test_the_page_of_errors_has_these_codes_and_no_others() -> None:
    tables = {heading: set(table) for heading, table in page_tables().items()}
    assert tables == {
        "Refusals": {refusal.code for refusal in all_refusals()},
        "Unpaid reasons": set(of(UnpaidReason)),
        "Guide unpaid reasons": set(of(GuideUnpaidReason)),
        "Channel unpaid reasons": set(of(ChannelUnpaidReason)),
        "Verdicts": {verdict.value for verdict in Verdict},
        "Faults": fault_codes(),
        "Exit codes": {str(code.value) for code in Exit},
    }


def test_the_page_of_errors_quotes_each_refusal_as_it_is_said() -> None:
    lines = page_tables()["Refusals"]
    for refusal in all_refusals():
        assert refusal.en in lines[refusal.code], refusal.code
        assert refusal.zh in lines[refusal.code], refusal.code
