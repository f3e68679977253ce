"""Every table of the engine: each room's models are imported here, and nowhere else for this.

A new ``models.py`` earns a line; ``tests/test_house.py`` notices when it is missing.
"""

from sqlmodel import SQLModel

import analytics.models
import loyalty.access.models
import loyalty.adjustments.models
import loyalty.ages.models
import loyalty.assets.models
import loyalty.audit_log
import loyalty.brands.models
import loyalty.codes.models
import loyalty.holds.models
import loyalty.idempotency
import loyalty.ledger.models
import loyalty.members.models
import loyalty.notifications.models
import loyalty.outbox
import loyalty.packings.models
import loyalty.partner_keys.models
import loyalty.periodic
import loyalty.places.models
import loyalty.products.models
import loyalty.regions.models
import loyalty.segments.models
import loyalty.webhooks.models
import loyalty.withholdings.models
import rewards.activities.models
import rewards.alliances.models
import rewards.campaigns.models
import rewards.clearing.models
import rewards.code_lists.models
import rewards.coupons.models
import rewards.draws.models
import rewards.event_types.models
import rewards.events.models
import rewards.gifts.models
import rewards.grants.models
import rewards.issues.models
import rewards.matching.models
import rewards.merges.models
import rewards.netting.models
import rewards.offers.models
import rewards.orders.models
import rewards.payouts.models
import rewards.purchases.models
import rewards.raffles.models
import rewards.redemptions.models
import rewards.referrals.models
import rewards.returns.models
import rewards.scans.models
import rewards.simulations.models
import rewards.surveys.models
import rewards.tasks.models
import tiers.ladders.models
import tiers.privileges.models
import tiers.standings.models

MODULES = (
    analytics.models,
    loyalty.access.models,
    loyalty.adjustments.models,
    loyalty.ages.models,
    loyalty.assets.models,
    loyalty.audit_log,
    loyalty.brands.models,
    loyalty.codes.models,
    loyalty.holds.models,
    loyalty.idempotency,
    loyalty.ledger.models,
    loyalty.members.models,
    loyalty.notifications.models,
    loyalty.outbox,
    loyalty.packings.models,
    loyalty.periodic,
    loyalty.partner_keys.models,
    loyalty.places.models,
    loyalty.products.models,
    loyalty.regions.models,
    loyalty.segments.models,
    loyalty.withholdings.models,
    loyalty.webhooks.models,
    rewards.activities.models,
    rewards.alliances.models,
    rewards.campaigns.models,
    rewards.clearing.models,
    rewards.code_lists.models,
    rewards.coupons.models,
    rewards.draws.models,
    rewards.event_types.models,
    rewards.events.models,
    rewards.gifts.models,
    rewards.grants.models,
    rewards.issues.models,
    rewards.matching.models,
    rewards.merges.models,
    rewards.netting.models,
    rewards.offers.models,
    rewards.orders.models,
    rewards.payouts.models,
    rewards.purchases.models,
    rewards.raffles.models,
    rewards.redemptions.models,
    rewards.referrals.models,
    rewards.returns.models,
    rewards.scans.models,
    rewards.simulations.models,
    rewards.surveys.models,
    rewards.tasks.models,
    tiers.ladders.models,
    tiers.privileges.models,
    tiers.standings.models,
)

metadata = SQLModel.metadata
