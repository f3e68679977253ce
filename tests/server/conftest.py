"""What tests of the server share."""

import pytest

from tests.server.commands import Commands


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, command_env: dict[str, str]) -> Commands:
    """Runs ``loyalty`` on this test's database. Not for commands that set up logging."""
    for name, value in command_env.items():
        if name.startswith("LOYALTY_"):
            monkeypatch.setenv(name, value)
    return Commands()
