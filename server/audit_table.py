"""The audit as people read it: a row an invariant, or a row a check."""

from itertools import groupby

from rich.table import Table

from loyalty.ledger.audit import Check

INVARIANTS = {
    1: ("Debits equal credits; balances are the sums of transfers", "借贷相等,余额等于流水合计"),
    2: ("Lots sum to balances; nothing is spent after its date", "积分批次与余额一致,过期不用"),
    3: ("Issued = spent + expired + reversed + outstanding", "发行 = 消费 + 过期 + 冲回 + 结存"),
    4: ("What happened is only ever added to", "只增不改的记录完整"),
    5: ("A transfer touches one brand", "流水不跨品牌"),
    6: ("One code, two rewards: each claim at most once", "一码双奖:每项奖励至多一次"),
    7: ("A coupon makes only legal transitions", "优惠券只按规则流转"),
    8: ("Budgets, caps, stock and tiers are kept", "预算、上限、库存与等级无误"),
    9: ("One idempotency key, one effect", "同一幂等键只生效一次"),
    10: ("The outbox loses nothing", "发件箱不丢事件"),
    11: ("One payout number, one payment", "一个付款单号只付一次"),
    12: ("Every row belongs to its own brand", "每行数据只属于本品牌"),
}


def audit_table(checks: list[Check], *, every_check: bool) -> Table:
    """Invariants with their checks and rows counted; what is broken is always told in full."""
    table = Table(title="Audit 审计", title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("What must hold", ratio=3)
    table.add_column("不变量", ratio=2, overflow="fold")  # no spaces to break at
    table.add_column("Checks", justify="right")
    table.add_column("Rows", justify="right")
    table.add_column("Broken", justify="right")
    ordered = sorted(checks, key=lambda check: check.invariant)
    for invariant, group in groupby(ordered, key=lambda check: check.invariant):
        members = list(group)
        if not every_check:
            english, chinese = INVARIANTS.get(invariant, ("", ""))
            rows = sum(check.checked for check in members)
            broken = sum(check.broken for check in members)
            table.add_row(
                str(invariant), english, chinese, str(len(members)), f"{rows:,}", _count(broken)
            )
        for check in members:
            if every_check or check.broken:
                table.add_row(
                    str(invariant),
                    check.name,
                    check.name_zh,
                    "1",
                    f"{check.checked:,}",
                    _count(check.broken),
                )
            for example in check.examples:
                table.add_row("", f"[red]{example}[/red]", "", "", "", "")
    return table


def _count(broken: int) -> str:
    return f"[red]{broken:,}[/red]" if broken else "[green]0[/green]"


def verdict_of(checks: list[Check]) -> str:
    """The last line."""
    broken = sum(check.broken for check in checks)
    if broken:
        return f"[red]{broken:,} broken. 账实不符。[/red]"
    return "[green]The books agree. 账实相符。[/green]"
