"""``loyalty codes``: writing code files for the printer, and activating batches."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from loyalty import audit_log
from loyalty.actor import Actor, system_actor
from loyalty.brands.service import get_brand_by_slug
from loyalty.codes import service
from loyalty.codes.models import BatchStatus, CodeBatch, CodeKind
from loyalty.codes.printing import CodeFileDiffers, write_codes
from loyalty.codes.queries import find_batch_by_number
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import NotFound
from loyalty.products.queries import find_product_by_sku
from server.console import Exit, err, fail, keyring_of, read_settings, say, with_database

app = typer.Typer(help="Printed codes (一物一码).", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Brand = Annotated[str, typer.Option(help="The brand's slug.")]


async def _actor(database: Database, slug: str) -> Actor:
    async with database.snapshot() as snapshot:
        return system_actor((await get_brand_by_slug(snapshot, slug)).id)


async def _batch(database: Database, brand_id: UUID, number: int) -> CodeBatch:
    async with database.snapshot() as snapshot:
        batch = await find_batch_by_number(snapshot, brand_id, number)
    if batch is None:
        raise NotFound(noun="code batch")
    return batch


async def _note_written(tx: Tx, actor: Actor, batch: CodeBatch, digest: str) -> None:
    """Every writing of codes is on record: leaked code files are the cheats' way in."""
    if batch.status == BatchStatus.DRAFT:
        await service.mark_printed(tx, actor, batch.id)
    await audit_log.record(
        tx, actor, "batch.write_codes", batch.id, number=batch.number, sha256=digest
    )


async def _order(
    tx: Tx, actor: Actor, keyring: Keyring, sku: str, quantity: int, kinds: list[CodeKind]
) -> list[CodeBatch]:
    product = await find_product_by_sku(tx, actor.brand_id, sku)
    if product is None:
        raise NotFound(noun="product")
    return await service.create_batches(
        tx, actor, keyring, product_id=product.id, quantity=quantity, kinds=kinds
    )


@app.command()
def order(
    sku: Annotated[str, typer.Argument(help="The product's SKU.")],
    brand: Brand,
    quantity: Annotated[int, typer.Option(help="Codes per batch.")],
    kind: Annotated[
        list[CodeKind], typer.Option(help="Repeat for a pair: --kind INNER --kind OUTER.")
    ],
    as_json: AsJson = False,
) -> None:
    """Order batches of codes; several kinds share their items."""
    settings = read_settings()
    keyring = keyring_of(settings)

    async def work(database: Database) -> list[dict[str, object]]:
        actor = await _actor(database, brand)
        batches = await database.in_transaction(_order, actor, keyring, sku, quantity, kind)
        return [{"number": b.number, "kind": b.kind, "id": str(b.id)} for b in batches]

    made = with_database(settings, work)
    listed = ", ".join(f"{batch['number']} ({batch['kind']})" for batch in made)
    say({"batches": made}, as_json, f"Ordered: {listed}")


@app.command()
def generate(
    batch: Annotated[int, typer.Argument(help="The batch's number.")],
    brand: Brand,
    file: Annotated[Path, typer.Option(help="Where to write; never overwrites other content.")],
    host: Annotated[
        str | None, typer.Option(help="Write https://HOST/c/CODE instead of bare codes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a batch's codes to a file, one a line, and mark it printed. Safe to run again."""
    settings = read_settings()
    keyring = keyring_of(settings)

    async def work(database: Database) -> dict[str, object]:
        actor = await _actor(database, brand)
        found = await _batch(database, actor.brand_id, batch)
        async with database.snapshot() as snapshot:
            key = await service.load_key(snapshot, keyring, actor.brand_id, found.key_epoch_id)
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("Writing codes", total=found.quantity)
            digest = write_codes(
                file,
                key,
                found.number,
                0,
                found.quantity,
                host=host,
                progress=lambda done: progress.update(task, completed=done),
            )
        await database.in_transaction(_note_written, actor, found, digest)
        return {"batch": batch, "codes": found.quantity, "file": str(file), "sha256": digest}

    try:
        made = with_database(settings, work)
    except (CodeFileDiffers, OSError) as error:
        raise fail(str(error), Exit.FAILED) from None
    say(made, as_json, f"{made['codes']} codes in {made['file']} (SHA-256 {made['sha256']})")


@app.command()
def activate(
    batch: Annotated[int, typer.Argument(help="The batch's number.")],
    brand: Brand,
    alone: Annotated[bool, typer.Option("--alone", help="Not the batch paired with it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a printed batch be scanned for rewards."""
    settings = read_settings()

    async def work(database: Database) -> list[int]:
        actor = await _actor(database, brand)
        found = await _batch(database, actor.brand_id, batch)
        moved = await database.in_transaction(service.activate_batch, actor, found.id, not alone)
        return [one.number for one in moved]

    numbers = with_database(settings, work)
    say({"active": numbers}, as_json, f"Active: {', '.join(map(str, numbers))}")
