"""The command line loads what a command needs, and helps who mistypes."""

import subprocess
import sys

from typer.testing import CliRunner

from server.cli import COMMANDS, app

LOADED = """
import sys
from typer.testing import CliRunner
from server.cli import app
assert CliRunner().invoke(app, [sys.argv[1], "--help"]).exit_code == 0
print("strawberry" in sys.modules)
"""


def _loads_the_api(command: str) -> bool:
    arguments = [sys.executable, "-c", LOADED, command]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def test_only_commands_of_the_api_load_it() -> None:
    assert [_loads_the_api(command) for command in ("migrate", "serve")] == [False, True]


def test_every_command_says_what_it_is_for() -> None:
    helped = CliRunner().invoke(app, ["--help"])
    assert helped.exit_code == 0
    assert set(COMMANDS) <= set(helped.stdout.split())


def test_a_mistyped_command_is_told_what_it_may_have_meant() -> None:
    mistyped = CliRunner().invoke(app, ["audti"])
    assert mistyped.exit_code == 2
    assert "Did you mean 'audit'?" in " ".join(mistyped.stderr.split())
