"""Pure: what may be packed into what."""

from dataclasses import dataclass

from loyalty.codes.models import CodeBatch, CodeKind
from loyalty.errors import InvalidInput

PER_BOX_MAX = 1000
BOTTLE_KINDS = frozenset({CodeKind.INNER.value, CodeKind.OUTER.value})
BOX_KINDS = frozenset({CodeKind.BOX_INNER.value, CodeKind.BOX_OUTER.value})


@dataclass(frozen=True, slots=True)
class Line:
    """``count`` bottles from ``first_serial`` on, ``per_box`` to a box, in boxes from
    ``first_box_serial`` on. Serials begin with 0 in each batch."""

    first_serial: int
    count: int
    per_box: int
    first_box_serial: int

    @property
    def boxes(self) -> int:
        return self.count // self.per_box


def check_line(line: Line, bottles: CodeBatch, boxes: CodeBatch) -> None:
    """Refuses InvalidInput with the field: batches of other things, boxes that are not full, and
    what the batches do not have."""
    if bottles.kind not in BOTTLE_KINDS:
        raise InvalidInput(field="bottleBatchId", problem="no batch of bottles: INNER or OUTER")
    if boxes.kind not in BOX_KINDS:
        raise InvalidInput(field="boxBatchId", problem="no batch of boxes: BOX_INNER or BOX_OUTER")
    if not 1 <= line.per_box <= PER_BOX_MAX:
        raise InvalidInput(field="perBox", problem=f"1 to {PER_BOX_MAX}")
    if line.count < 1 or line.count % line.per_box:
        raise InvalidInput(field="count", problem="full boxes: a multiple of perBox")
    _check_range("firstSerial", line.first_serial, line.count, bottles.quantity)
    _check_range("firstBoxSerial", line.first_box_serial, line.boxes, boxes.quantity)


def _check_range(field: str, first: int, count: int, quantity: int) -> None:
    if first < 0 or first + count > quantity:
        raise InvalidInput(field=field, problem=f"the batch has the serials 0 to {quantity - 1}")
