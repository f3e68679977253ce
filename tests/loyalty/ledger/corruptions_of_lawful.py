"""Ages that nobody stated, tax that nobody can account for: invariants 3 and 6."""

from datetime import date

from loyalty.ages.models import AgeStatement
from loyalty.members.models import Identity
from loyalty.withholdings.models import Withholding
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import Corruption, change, remove

_AGE = "what is known of a person's age is what it stated"
_TAX = "a withholding is the tax of its prize"
_BOOK = "tax books have what was withheld, less what went back"


def _withheld(b: AuditedBrand) -> dict[str, object]:
    return {"brand_id": b.id, "id": b.transfers["tax"]}


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
    Corruption(
        "tax kept back and not on record",
        3,
        lambda b, _: [remove(Withholding, **_withheld(b))],
        (_TAX, _BOOK),
    ),
    Corruption(
        "less tax on record than was kept back",
        3,
        lambda b, _: [change(Withholding, _withheld(b), tax_fen=199)],
        (_TAX, _BOOK),
    ),
    Corruption(
        "tax of a prize below the threshold",
        3,
        lambda b, _: [change(Withholding, _withheld(b), threshold_fen=1_000)],
        (_TAX,),
    ),
    Corruption(
        "tax of another prize",
        3,
        lambda b, _: [change(Withholding, _withheld(b), credit_id=b.transfers["tax"])],
        (_TAX,),
    ),
)
