"""The guards of the limits in ``limit_races.py``; as ``guards.py``."""

from tests.races import limit_races
from tests.races.guards import (
    BUDGET_CHECK,
    BUDGET_GUARD,
    CAP_CHECK,
    CAP_GUARD,
    STOCK_CHECK,
    STOCK_GUARD,
    Edit,
    Guard,
)

_EACH_OTHER = "each other: the WHERE asks, the CHECK refuses"

LIMIT_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the caps' guarded count and its check, of everybody together",
        "no more events of a campaign are paid than its cap allows",
        limit_races.everybody_together_is_paid_up_to_the_cap,
        (CAP_GUARD,),
        (CAP_CHECK,),
        covered_by=_EACH_OTHER,
    ),
    Guard(
        "the guarded count of a stage's budget, and its check",
        "no more of a stage's budget is drawn than there is",
        limit_races.a_stages_budget_is_drawn_to_its_last_fen,
        (CAP_GUARD,),
        (CAP_CHECK,),
        covered_by=_EACH_OTHER,
    ),
    *(
        Guard(
            f"the budget's guarded update and its check, {where}",
            promise,
            race,
            (BUDGET_GUARD,),
            (BUDGET_CHECK,),
            covered_by=_EACH_OTHER,
        )
        for where, promise, race in (
            (
                "where it is drawn from",
                "no more of a budget is drawn than there is",
                limit_races.a_campaigns_budget_is_drawn_to_its_last_fen,
            ),
            (
                "where rewards are locked",
                "no more of a budget is reserved than there is",
                limit_races.what_is_locked_stays_within_the_budget,
            ),
            (
                "of purchases",
                "no more of a budget is earned by purchases than there is",
                limit_races.purchases_are_paid_to_the_budgets_last_unit,
            ),
            (
                "of events",
                "no more of a budget is earned by events than there is",
                limit_races.events_are_paid_to_the_budgets_last_unit,
            ),
        )
    ),
    Guard(
        "the stock of a coupon template and its check, where it is won",
        "no more coupons are won than there are",
        limit_races.coupons_are_won_to_the_last,
        (STOCK_GUARD,),
        (STOCK_CHECK,),
        covered_by=_EACH_OTHER,
    ),
    Guard(
        "the count of a member's draws, compared with the number that the draw was given",
        "each draw of a member has a number of its own, by which the guarantee goes",
        limit_races.a_guarantee_is_kept_once,
        (
            Edit(
                "rewards/grants/service.py",
                "if key[2] == MEMBER_COUNTER and stands_at != world.counters[key]:",
                "if False:",
            ),
        ),
        covered_by="for who has an account, by the lock on it",
    ),
)
