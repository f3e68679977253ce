"""Ages that nobody stated: invariant 6."""

from datetime import date

from loyalty.ages.models import AgeStatement
from loyalty.members.models import Identity
from tests.loyalty.ledger.corruptions import Corruption, change, remove

_AGE = "what is known of a person's age is what it stated"

OF_LAWFUL = (
    Corruption(
        "an age that was never stated",
        6,
        lambda b, _: [
            change(Identity, {"brand_id": b.id, "id": b.other_identity}, born_by=date(1990, 1, 1))
        ],
        (_AGE,),
    ),
    Corruption(
        "an age other than what was stated",
        6,
        lambda b, _: [
            change(AgeStatement, {"brand_id": b.id, "id": b.age}, born_by=date(2012, 1, 1))
        ],
        (_AGE,),
    ),
    Corruption(
        "a statement of age gone",
        6,
        lambda b, _: [remove(AgeStatement, brand_id=b.id, id=b.age)],
        (_AGE,),
    ),
    Corruption(
        "an age stated and forgotten",
        6,
        lambda b, _: [
            change(Identity, {"brand_id": b.id, "id": b.consumer_identity}, born_by=None)
        ],
        (_AGE,),
    ),
)
