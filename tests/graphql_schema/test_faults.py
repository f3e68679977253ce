"""Faults are shown, everything else is masked and logged under the id that the caller gets."""

from uuid import UUID

import pytest
from graphql import GraphQLError
from structlog.testing import CapturingLogger

from graphql_schema.documents import DocumentStore
from graphql_schema.faults import (
    CostExceeded,
    Fault,
    Forbidden,
    Invalid,
    PersistedQueryNotFound,
    Throttled,
    TrustedDocumentsOnly,
    Unauthenticated,
    describe,
    format_errors,
)
from tests.graphql_schema.sample_schema import context, schema


def located(cause: Exception) -> GraphQLError:
    return GraphQLError(str(cause), path=["me", 0, "name"], original_error=cause)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Unauthenticated(), "UNAUTHENTICATED"),
        (Forbidden(), "FORBIDDEN"),
        (Invalid("Why."), "INVALID"),
        (Throttled(3), "THROTTLED"),
        (PersistedQueryNotFound(), "PERSISTED_QUERY_NOT_FOUND"),
        (TrustedDocumentsOnly(), "TRUSTED_DOCUMENTS_ONLY"),
        (CostExceeded(6_000, 5_000), "COST_EXCEEDED"),
    ],
)
def test_faults_are_shown_with_their_code(fault: Fault, code: str) -> None:
    log = CapturingLogger()
    for error in (fault, located(fault), located(located(fault))):
        (shown,) = format_errors([error], log)
        assert shown["message"] == fault.message
        assert shown["extensions"]["code"] == code
    assert log.calls == []


def test_throttled_says_when_to_come_back() -> None:
    assert Throttled(7).extensions == {"code": "THROTTLED", "retryAfterSeconds": 7}


def test_other_exceptions_are_masked_and_logged_with_the_same_id() -> None:
    log = CapturingLogger()
    secret = RuntimeError("phone 13800138000")
    (shown,) = format_errors([located(located(secret))], log)
    assert "13800138000" not in repr(shown)
    assert shown["message"] == "Internal error"
    assert shown["path"] == ["me", 0, "name"]
    assert shown["extensions"]["code"] == "INTERNAL"
    UUID(shown["extensions"]["id"])
    (call,) = log.calls
    assert call.method_name == "error"
    assert call.kwargs["error_id"] == shown["extensions"]["id"]
    assert call.kwargs["exception"] == "RuntimeError: phone ***"


@pytest.mark.parametrize(
    "planted",
    [
        "13800138000",
        "+86 138-0013-8000",
        "138 0013 8000",
        "483920",
        "K7Q0123456789ABCDEFGHJKMNPQRS",
        "K7Q-01234-56789-ABCDE-FGHJK-MNPQR",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl",
        "wang@example.com",
    ],
)
def test_nothing_personal_reaches_the_log(planted: str) -> None:
    def fail(value: str) -> None:
        try:
            int(value + "x")
        except ValueError as error:
            raise RuntimeError(f"parameters: ('{value}',) {value}") from error

    with pytest.raises(RuntimeError) as raised:
        fail(planted)
    text = describe(raised.value)
    assert planted not in text
    assert planted[:9] not in text
    assert "test_faults.py" in text
    assert "RuntimeError: parameters:" in text
    assert "caused by" in text


def test_errors_of_graphql_itself_are_shown_as_invalid() -> None:
    result = schema.execute_sync("query ($n: BigInt!) { double(n: $n) }", {"n": "x"}, context())
    (shown,) = format_errors(result.errors or (), CapturingLogger())
    assert "BigInt must be a whole number" in shown["message"]
    assert shown["extensions"] == {"code": "INVALID"}
    assert shown["locations"] == [{"line": 1, "column": 8}]


async def test_masking_keeps_siblings() -> None:
    store = DocumentStore(schema)
    result = store.execute(store.prepare('{ crash fault echo(text: "a") }', None), context())
    assert result.data == {"crash": None, "fault": None, "echo": "a"}  # type: ignore[union-attr]
    shown = format_errors(result.errors, CapturingLogger())  # type: ignore[union-attr, arg-type]
    assert {error["extensions"]["code"] for error in shown} == {"INTERNAL", "INVALID"}
    assert "13800138000" not in repr(shown)
