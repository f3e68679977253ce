"""The request's language, caller and loaders."""

import pytest

from graphql_schema.context import Context, language_of
from graphql_schema.faults import Unauthenticated
from tests.graphql_schema.sample_schema import MEMBER, context


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh-CN"),
        ("*", "zh-CN"),
        ("fr", "zh-CN"),
        ("zh", "zh-CN"),
        ("zh-TW,en;q=0.9", "zh-CN"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("EN-us", "en"),
        ("fr,en;q=0.3", "en"),
        ("zh;q=0.1,en;q=0.2", "en"),
        ("en;q=0.1,zh;q=0.2", "zh-CN"),
        ("en;q=0", "zh-CN"),
        ("en;q=rubbish", "zh-CN"),
        ("en;q=nan", "zh-CN"),
        ("en;q=7", "zh-CN"),
        (",,;;=,", "zh-CN"),
    ],
)
def test_language(header: str, language: str) -> None:
    assert language_of(header) == language


def test_caller_is_the_actor_or_a_fault() -> None:
    assert context(MEMBER).caller is MEMBER
    with pytest.raises(Unauthenticated):
        _ = context().caller


class MemberLoader:
    def __init__(self, context: Context) -> None:
        self.context = context


def test_a_loader_is_made_once_per_request() -> None:
    request = context()
    loader = request.loader(MemberLoader)
    assert loader.context is request
    assert request.loader(MemberLoader) is loader
    assert context().loader(MemberLoader) is not loader
