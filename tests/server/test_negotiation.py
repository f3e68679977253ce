"""Content negotiation as RFC 9110 and GraphQL over HTTP have it."""

import pytest

from server.negotiation import GRAPHQL_RESPONSE, JSON, is_json, reply_type, wants_html


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/json; charset=utf-8", JSON),
        ("application/graphql-response+json", GRAPHQL_RESPONSE),
        ("application/graphql-response+json; charset=utf-8", GRAPHQL_RESPONSE),
        ("application/graphql-response+json, application/json", GRAPHQL_RESPONSE),
        ("application/json, application/graphql-response+json", GRAPHQL_RESPONSE),
        ("application/graphql-response+json;q=0.5, application/json", JSON),
        ("application/graphql-response+json;q=0.9, application/json;q=0.8", GRAPHQL_RESPONSE),
        ("application/graphql-response+json, */*;q=0.1", GRAPHQL_RESPONSE),
        ("application/graphql-response+json;q=0, */*", JSON),
        ("application/json;q=0, */*", GRAPHQL_RESPONSE),
        ("application/json;q=0.2, application/*;q=0.7", GRAPHQL_RESPONSE),
        ("text/html, */*;q=0.1", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("text/html", None),
        ("application/json;q=0", None),
        ("*/*;q=0", None),
        ("application/json;q=rubbish", None),
        ("application/json;q=2", None),
        ("application/json;q=nan", None),
        (",,;q=1", None),
        ("image/*, text/*", None),
    ],
)
def test_reply_type(accept: str, expected: str | None) -> None:
    assert reply_type(accept.encode()) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html", True),
        ("application/json, text/html;q=0.5", False),
        ("application/graphql-response+json, text/html;q=0.5", False),
        ("*/*", False),
        ("", False),
        ("text/html;q=0", False),
    ],
)
def test_only_browsers_get_the_page(accept: str, expected: bool) -> None:
    assert wants_html(accept.encode()) is expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ('Application/JSON;charset="UTF-8"', True),
        ("application/json; charset=gbk", False),
        ("application/graphql", False),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=x", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_request_type(content_type: str, expected: bool) -> None:
    assert is_json(content_type.encode()) is expected
