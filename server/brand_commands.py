"""``loyalty brand`` and ``loyalty operator``."""

from typing import Annotated

import pyotp
import typer

from loyalty.access.service import NewOperator, create_operator, prepare_password, reset_totp
from loyalty.actor import OperatorRole, system_actor
from loyalty.brands.models import Brand
from loyalty.brands.rules import HOLD_SECONDS, PRIZE_CEILING_FEN, REVERSAL_WINDOW_SECONDS
from loyalty.brands.service import get_brand_by_slug
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from server.console import keyring_of, read_settings, say, with_database
from server.founding import BrandWanted, found_brand

app = typer.Typer(help="Brands (品牌), the tenants.", no_args_is_help=True)
operators = typer.Typer(help="Operators (运营人员) of a brand.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def totp_uri(brand: Brand, made: NewOperator) -> str:
    """What an authenticator app reads from a QR code, or takes as a link."""
    return pyotp.TOTP(made.totp_secret, name=made.row.email, issuer=brand.name).provisioning_uri()


@app.command("create")
def create(
    slug: Annotated[str, typer.Argument(help="Short name: a-z, 0-9 and hyphens.")],
    name: Annotated[
        str | None, typer.Option(help="Shown to people; the slug if not given.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Local days and expiry dates go by it.")] = (
        "Asia/Shanghai"
    ),
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "CNY",
    points_valid_months: Annotated[
        int, typer.Option(help="Points are good this long from earning; 0: for ever.")
    ] = 24,
    hold_seconds: Annotated[
        int, typer.Option(help="A till's hold of a coupon lapses after so long.")
    ] = HOLD_SECONDS,
    reversal_window_seconds: Annotated[
        int, typer.Option(help="A redemption can be reversed for so long; 0: never.")
    ] = REVERSAL_WINDOW_SECONDS,
    prize_ceiling_fen: Annotated[
        int, typer.Option(help="No campaign may promise more cash than this at once.")
    ] = PRIZE_CEILING_FEN,
    admin_email: Annotated[
        str | None,
        typer.Option(
            help="Also make an ADMIN operator; its password and TOTP secret are shown once."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a brand: its books, points for purchases, and a ladder of four levels."""
    settings = read_settings()
    keyring = keyring_of(settings)
    wanted = BrandWanted(
        slug,
        name or slug,
        timezone,
        currency,
        points_valid_months or None,
        hold_seconds,
        reversal_window_seconds,
        prize_ceiling_fen,
    )
    made = with_database(settings, lambda db: _found(db, keyring, wanted, admin_email or ""))
    text = f"Brand {made['slug']} is made."
    if "admin_password" in made:
        text += (
            f"\nSign in as {made['admin_email']} with: {made['admin_password']}"
            f"\nand the codes of an authenticator. Secret: {made['admin_totp_secret']}"
            f"\n{made['admin_totp_uri']}"
        )
    say(made, as_json, text)


async def _found(
    database: Database, keyring: Keyring, wanted: BrandWanted, email: str
) -> dict[str, str]:
    """Make it, and its first operator where an e-mail is given, together or not at all."""
    if not email:
        brand = await database.in_transaction(found_brand, wanted)
        return {"brand_id": str(brand.id), "slug": brand.slug}
    password = await prepare_password()

    async def found_with_admin(tx: Tx) -> tuple[Brand, NewOperator]:
        brand = await found_brand(tx, wanted)
        admin = await create_operator(
            tx,
            system_actor(brand.id),
            keyring,
            email=email,
            name=email,
            role=OperatorRole.ADMIN.value,
            password=password,
        )
        return brand, admin

    brand, admin = await database.in_transaction(found_with_admin)
    return {
        "brand_id": str(brand.id),
        "slug": brand.slug,
        "admin_email": admin.row.email,
        "admin_password": password.clear,
        "admin_totp_secret": admin.totp_secret,
        "admin_totp_uri": totp_uri(brand, admin),
    }


@operators.command("create")
def create_one(
    email: Annotated[str, typer.Argument(help="What the operator signs in with.")],
    brand: Annotated[str, typer.Option(help="The brand's slug.")],
    role: Annotated[OperatorRole, typer.Option(help="What it may do.")] = OperatorRole.VIEWER,
    name: Annotated[str | None, typer.Option(help="Shown to people; the e-mail if not given.")] = (
        None
    ),
    as_json: AsJson = False,
) -> None:
    """Make an operator; its password and TOTP secret are shown once."""
    settings = read_settings()
    keyring = keyring_of(settings)

    async def work(database: Database) -> dict[str, str]:
        async with database.snapshot() as snapshot:
            found = await get_brand_by_slug(snapshot, brand)
        password = await prepare_password()
        made = await database.in_transaction(
            create_operator,
            system_actor(found.id),
            keyring,
            email=email,
            name=name or email,
            role=role.value,
            password=password,
        )
        return {
            "operator_id": str(made.row.id),
            "email": made.row.email,
            "password": password.clear,
            "totp_secret": made.totp_secret,
            "totp_uri": totp_uri(found, made),
        }

    made = with_database(settings, work)
    text = (
        f"Operator {made['email']} is made. Password: {made['password']}"
        f"\nand the codes of an authenticator. Secret: {made['totp_secret']}\n{made['totp_uri']}"
    )
    say(made, as_json, text)


@operators.command("totp")
def totp(
    email: Annotated[str, typer.Argument(help="What the operator signs in with.")],
    brand: Annotated[str, typer.Option(help="The brand's slug.")],
    as_json: AsJson = False,
) -> None:
    """Give an operator another TOTP secret, shown once: the old one is lost, or somebody has it.
    Ends the operator's sessions."""
    settings = read_settings()
    keyring = keyring_of(settings)

    async def work(database: Database) -> dict[str, str]:
        async with database.snapshot() as snapshot:
            found = await get_brand_by_slug(snapshot, brand)
        made = await database.in_transaction(reset_totp, system_actor(found.id), keyring, email)
        return {
            "operator_id": str(made.row.id),
            "email": made.row.email,
            "totp_secret": made.totp_secret,
            "totp_uri": totp_uri(found, made),
        }

    made = with_database(settings, work)
    text = f"The new secret of {made['email']}: {made['totp_secret']}\n{made['totp_uri']}"
    say(made, as_json, text)
