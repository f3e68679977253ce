"""What is drawn: who, which code, how much. Few of each, so that things meet."""

from datetime import UTC, datetime, timedelta
from functools import partial

from hypothesis import strategies as st

from tests.machine.engine import Person
from tests.model.shopping import Pieces
from tests.model.wallets import ASSETS

BEGINS_AT = datetime(2026, 1, 30, 15, 30, tzinfo=UTC)
ZONES = ["Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"]
PHONES = {
    name: f"+861380013800{number}"
    for number, name in enumerate(("ann", "bob", "cat", "gus", "gil"))
}
PEOPLE = [*(Person(name, phone) for name, phone in PHONES.items()), Person("ref"), Person("rex")]
DEVICES = [None, None, None, "red", "blue", "green"]
QUANTITY = 20
SERIES_MAX = 4

consumers = st.sampled_from(["ann", "ann", "bob", "bob", "cat", "cat", "gus", "gil", "ref"])
guides = st.sampled_from(["gus", "gus", "gil", "cat"])
phones = st.sampled_from(list(PHONES))
anybody = st.sampled_from([person.name for person in PEOPLE])
roles = st.sampled_from(["CONSUMER", "CONSUMER", "GUIDE", "GUIDE", "STORE"])
devices = st.sampled_from(DEVICES)
serials = st.integers(0, QUANTITY - 1)
picks = st.integers(0, 59)
small = st.integers(1, 9)

NEVER = ("NEVER", 0, "")
policies = st.sampled_from(
    [
        NEVER,
        ("AFTER", 1, "MONTH"),
        ("AFTER", 12, "DAY"),
        ("END", 0, "MONTH"),
        ("END", 1, "QUARTER"),
        ("ACTIVE", 12, ""),
        ("ACTIVE", 40, ""),
    ]
)
points_policies = st.sampled_from([1, 1, 1, 2, 24, None]).map(
    lambda months: NEVER if months is None else ("AFTER", months, "MONTH")
)
all_policies = st.fixed_dictionaries(
    {asset: st.just(NEVER) | policies for asset in ASSETS if asset != "POINTS"}
    | {"POINTS": points_policies | policies}
)

scans = st.tuples(
    st.sampled_from(["INNER", "INNER", "OUTER"]), consumers, guides, picks, serials, devices
)
sales = st.lists(
    st.tuples(consumers, st.sampled_from([None, "gus", "gus", "gil", "cat"]), devices),
    min_size=1,
    max_size=4,
)
amounts_fen = st.sampled_from([0, 99, 100, 250, 399, 1_300])
pieces = st.sampled_from([0, 0, 1, 3])


def lines_of(fen: int, pieces: int) -> Pieces:
    """So many pieces for two thirds of the money, and one for the rest; no lines of none."""
    return ((pieces, fen - fen // 3), (1, fen // 3)) if pieces else ()


purchases = st.tuples(
    st.sampled_from(["ref", "rex"]),
    st.sampled_from([0, 0, 1, 20, 35, 100]),
    amounts_fen.flatmap(lambda fen: st.tuples(st.just(fen), pieces.map(partial(lines_of, fen)))),
)
"""Who, how many days ago, for how many fen, in which lines."""
given_back = st.one_of(
    st.just((None, None)),
    st.tuples(st.sampled_from([1, 99, 100, 150]), st.none()),
    st.tuples(
        st.none(),
        st.tuples(
            st.integers(1, 2),
            st.integers(1, 3) | st.none(),
            st.none() | st.sampled_from([1, 100]),
        ).filter(lambda line: line[1:] != (None, None)),
    ),
)
"""How many fen, or what of a line; or neither: all of it."""
caps = st.lists(
    st.tuples(
        st.sampled_from(["GUIDE", "MEMBER", "GUIDE", "DEVICE"]),
        st.sampled_from(["DAY", "CAMPAIGN"]),
        st.integers(1, 3),
    ),
    max_size=2,
    unique_by=lambda cap: cap[:2],
)
gates = st.sampled_from([True, True, False])
gives = st.tuples(
    st.dictionaries(st.sampled_from(["POINTS", *ASSETS]), small, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["POINTS", *ASSETS]), small, max_size=3),
)
return_policies = st.sampled_from(["WITHIN_BALANCE", "UNLIMITED", "UNLIMITED", "ONLY_PENDING"])
returns = st.tuples(return_policies, return_policies)
"""The consumer's and the guide's."""
waits = st.sampled_from([None, None, (1, None), (1, 10), (2, 40)])
"""For how many scans, for how many days at most."""
no_budgets: dict[str, int] = {}
budgets = st.just(no_budgets) | st.dictionaries(
    st.sampled_from(ASSETS), st.integers(1, 60), min_size=1, max_size=2
)
ladders = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from([100, 133, 150, 250])), min_size=0, max_size=3
)
parts = st.none() | st.integers(1, 12)
"""Of something, all of it when None."""
steps = st.sampled_from(
    [timedelta(minutes=40), timedelta(hours=9), *map(timedelta, (1, 11, 11, 31, 100))]
)
