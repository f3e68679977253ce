"""The command line of the host: ``loyalty --help``."""

import gc
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

COMMANDS = {
    "migrate": ("server.host_commands", "migrate"),
    "serve": ("server.serving", "serve"),
    "worker": ("server.worker_commands", "worker"),
    "audit": ("server.host_commands", "audit_books"),
    "verify-draws": ("server.draw_commands", "verify"),
    "verify-raffles": ("server.raffle_commands", "verify"),
    "demo": ("server.demo_command", "demo"),
    "token": ("server.token_commands", "token"),
    "brand": ("server.brand_commands", "app"),
    "operator": ("server.brand_commands", "operators"),
    "campaigns": ("server.campaign_commands", "app"),
    "codes": ("server.code_commands", "app"),
    "import": ("server.import_commands", "app"),
    "ledger": ("server.ledger_commands", "app"),
    "outbox": ("server.outbox_commands", "app"),
    "sandbox": ("server.sandbox_commands", "app"),
    "tiers": ("server.tier_commands", "app"),
    "wechat": ("server.wechat_commands", "app"),
}
"""Where each command is: its module, and its function or group there."""


class Commands(TyperGroup):
    """Loads what the named command needs and no more: most need nothing of the API, which takes
    longer to load than they take to work. ``--help`` loads them all."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        # For one that is not there Typer looks for the like among those that were loaded.
        wanted = [cmd_name] if cmd_name in COMMANDS else COMMANDS
        for name in wanted:
            if name not in self.commands:
                self.commands[name] = _load(name)
        return self.commands.get(cmd_name)


def _load(name: str) -> Any:
    module_name, attribute = COMMANDS[name]
    # Modules are made of what stays: looking for garbage meanwhile is a fifth of the time.
    gc.disable()
    try:
        found = getattr(import_module(module_name), attribute)
    finally:
        gc.enable()
    command: Any
    if isinstance(found, typer.Typer):
        command = get_group(found)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        command = get_command(alone)
    command.name = name
    return command


app = typer.Typer(
    name="loyalty",
    cls=Commands,
    help="A member-loyalty engine: one code, two rewards (一码双奖). "
    "Settings come from LOYALTY_* variables; see docs/operations.md.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _every_command() -> None:
    """Nothing is common to all."""


def main() -> None:
    """The entry point of the ``loyalty`` command."""
    app()
