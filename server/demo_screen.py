"""How the demo looks: headings, tables and bars, at 80 columns, with colour or without."""

import io
import sys
import time
from collections.abc import Sequence

import segno
from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

WIDTH_MAX = 100
BEAT_SECONDS = 0.25
BAR_WIDTH = 20
_DARK_ON_LIGHT = Style(color="black", bgcolor="bright_white")
_HALF_BLOCKS = {(0, 0): " ", (1, 1): "█", (1, 0): "▀", (0, 1): "▄"}


class Screen:
    """Writes to standard output. With ``paced`` it breathes between scenes, for readers."""

    def __init__(self, *, paced: bool) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # rather a ? than an end, in an old locale
        console = Console(highlight=False)
        self.console = Console(highlight=False, width=min(console.width, WIDTH_MAX))
        self._paced = paced and console.is_terminal
        self._scenes = 0

    def title(self, english: str, chinese: str, words: str) -> None:
        """The opening panel."""
        body = Group(Text(f"{english}  {chinese}", style="bold"), Text(words))
        self.console.print()
        self.console.print(Panel(body, box=box.ROUNDED, padding=(0, 2), border_style="magenta"))

    def scene(self, english: str, chinese: str, words: str, chinese_words: str) -> None:
        """A numbered heading, and what is about to happen, in both languages."""
        self._scenes += 1
        self.beat()
        heading = Text.assemble(
            (f"{self._scenes}. {english} ", "bold magenta"), (chinese, "magenta")
        )
        self.console.print()
        self.console.print(Rule(heading, align="left", style="magenta"))
        self.console.print(Text(words))
        self.console.print(Text(chinese_words, style="dim"))

    def command(self, words: str) -> None:
        """What one would type on the host for what happens next."""
        self.console.print(Text.assemble(("  $ ", "bold"), (words, "cyan")))

    def done(self, words: str) -> None:
        """A step whose answer was checked."""
        table = Table.grid(padding=(0, 1))
        table.add_row(Text("  ✓", style="green"), Text(words))
        self.console.print(table)

    def say(self, words: str, style: str = "") -> None:
        self.console.print(Text(words, style=style))

    def line(self, words: str, style: str = "") -> None:
        """A line that is never broken, for what people copy."""
        self.console.print(Text(words, style=style), soft_wrap=True)

    def show(self, what: RenderableType) -> None:
        self.console.print(what)

    def panel(self, words: RenderableType, title: str, style: str = "cyan") -> None:
        self.console.print(
            Panel(
                words,
                title=title,
                title_align="left",
                box=box.ROUNDED,
                border_style=style,
                expand=False,
                padding=(0, 2),
            )
        )

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
        """A table; a column whose heading starts with ``>`` is set to the right."""
        table = Table(box=box.ROUNDED, border_style="dim", header_style="bold")
        for column in columns:
            right = column.startswith(">")
            table.add_column(
                Text(column.lstrip(">")), justify="right" if right else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
        self.console.print(table)

    def beat(self) -> None:
        """A breath."""
        if self._paced:
            time.sleep(BEAT_SECONDS)


def bar(part: float, whole: float, width: int = BAR_WIDTH) -> str:
    """``█████░░░░░``: how much of the whole."""
    filled = round(width * min(1.0, part / whole)) if whole else 0
    return "█" * filled + "░" * (width - filled)


def yuan(fen: int) -> str:
    """``¥0.50``."""
    return f"¥{fen / 100:,.2f}"


def qr_picture(words: str) -> Text:
    """A QR code as text, two rows of it in each line, dark on light where there is colour."""
    modules = [list(row) for row in segno.make(words, error="m", micro=False).matrix_iter(border=2)]
    if len(modules) % 2:
        modules.append([0] * len(modules[0]))
    lines = [
        "".join(_HALF_BLOCKS[(bool(high), bool(low))] for high, low in zip(*pair, strict=True))
        for pair in zip(modules[::2], modules[1::2], strict=True)
    ]
    return Text("\n".join(lines), style=_DARK_ON_LIGHT, no_wrap=True)
