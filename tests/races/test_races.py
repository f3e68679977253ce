"""Everything at once, over two real servers on one database: the promises hold."""

import pytest

from tests.races import (
    alliance_races,
    coupon_races,
    draw_races,
    event_races,
    issue_races,
    ledger_races,
    lock_races,
    merge_races,
    netting_races,
    offer_races,
    program_races,
    purchase_races,
    raffle_races,
    redemption_races,
    scan_races,
    session_races,
    settlement_races,
    tier_races,
    webhook_races,
)
from tests.races.arena import Arena, Race, audit_findings
from tests.races.fenced import paused_worker_counts_nothing

RACES: dict[Race, int] = {
    scan_races.one_code_pays_once: 500,
    scan_races.first_scan_is_told_once: 500,
    scan_races.budget_is_paid_to_its_last_unit: 500,
    scan_races.member_cap_is_kept: 500,
    scan_races.device_cap_is_kept: 500,
    scan_races.guide_cap_is_kept: 500,
    scan_races.store_cap_is_kept: 100,
    scan_races.bonuses_keep_limits_of_their_own: 200,
    scan_races.guides_are_paid_for_each_scan: 500,
    scan_races.one_key_has_one_effect: 501,
    scan_races.one_key_is_recorded_once: 500,
    scan_races.first_act_makes_one_member: 500,
    scan_races.pre_scans_race_scans: 200,
    ledger_races.crossing_moves_keep_the_books: 200,
    ledger_races.one_key_moves_once: 200,
    ledger_races.a_credit_is_taken_back_up_to_its_amount: 60,
    ledger_races.a_hold_ends_once: 60,
    merge_races.whoever_is_merged_is_paid_as_the_other: 20,
    merge_races.newcomers_are_merged_with_what_they_earn: 20,
    merge_races.whom_a_merged_guide_brings_is_brought_by_the_other: 20,
    redemption_races.one_coupon_is_held_once: 500,
    redemption_races.one_coupon_is_captured_once: 500,
    redemption_races.captures_are_reversed_once: 40,
    coupon_races.the_last_coupons_are_sold_once: 100,
    coupon_races.a_member_buys_up_to_the_limit: 100,
    offer_races.the_malls_last_item_is_taken_once: 500,
    offer_races.a_days_pieces_are_taken_once: 100,
    offer_races.a_member_takes_up_to_its_limit: 100,
    offer_races.an_order_is_cancelled_once: 40,
    purchase_races.one_purchase_is_recorded_once: 60,
    purchase_races.a_purchase_is_returned_up_to_its_amount: 60,
    purchase_races.one_return_is_made_once: 60,
    event_races.a_day_is_checked_in_once: 100,
    program_races.a_survey_is_answered_once: 100,
    program_races.a_newcomer_is_referred_once: 40,
    tier_races.each_level_is_reached_once: 24,
    tier_races.all_are_carried_to_a_new_ladder: 40,
    lock_races.scans_at_once_all_count: 24,
    lock_races.a_locked_reward_ends_once: 12,
    draw_races.the_last_piece_of_a_prize_is_given_once: 200,
    draw_races.a_days_quota_of_a_prize_is_kept: 200,
    raffle_races.a_member_enters_up_to_the_limit: 100,
    raffle_races.winners_are_paid_once: 12,
    session_races.one_refresh_token_is_good_once: 100,
    session_races.one_totp_code_signs_in_once: 12,
    settlement_races.paused_worker_settles_nothing: 10,
    settlement_races.one_payout_is_made_and_ends_once: 60,
    settlement_races.one_worker_has_a_periodic_job: 60,
    webhook_races.one_worker_has_an_endpoint: 60,
    alliance_races.two_brands_agree_once: 20,
    netting_races.netted_once: 20,
    issue_races.a_quota_is_issued_to_its_last: 40,
    issue_races.what_is_paid_in_is_issued_to_the_fen: 40,
    issue_races.a_templates_stock_is_issued_to_its_last: 40,
    issue_races.nothing_is_issued_after_a_pause: 40,
    issue_races.proposed_adjustments_are_limited: 10,
    paused_worker_counts_nothing: 100,
}


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
async def test_whoever_comes_first(race: Race, arena: Arena) -> None:
    assert await race(arena, RACES[race]) == []
    (stage,) = arena.stages
    assert audit_findings(arena.environment, stage.slug) == []
