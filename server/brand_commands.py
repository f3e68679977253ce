"""``loyalty brand`` and ``loyalty operator``."""

from typing import Annotated

import typer

from loyalty.access.service import create_operator, prepare_password
from loyalty.actor import OperatorRole, system_actor
from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database
from server.console import read_settings, say, with_database
from server.founding import BrandWanted, found_brand

app = typer.Typer(help="Brands (品牌), the tenants.", no_args_is_help=True)
operators = typer.Typer(help="Operators (运营人员) of a brand.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


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
    admin_email: Annotated[
        str | None, typer.Option(help="Also make an ADMIN operator; its password is shown once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a brand: its books, points for purchases, and a ladder of four levels."""
    settings = read_settings()
    wanted = BrandWanted(slug, name or slug, timezone, currency, points_valid_months or None)

    async def work(database: Database) -> dict[str, str]:
        password = await prepare_password() if admin_email else None
        brand = await database.in_transaction(found_brand, wanted, admin_email, password)
        made = {"brand_id": str(brand.id), "slug": brand.slug}
        if admin_email and password:
            made |= {"admin_email": admin_email, "admin_password": password.clear}
        return made

    made = with_database(settings, work)
    text = f"Brand {made['slug']} is made."
    if "admin_password" in made:
        text += f"\nSign in as {made['admin_email']} with: {made['admin_password']}"
    say(made, as_json, text)


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
    """Make an operator; its password is shown once."""
    settings = read_settings()

    async def work(database: Database) -> dict[str, str]:
        async with database.snapshot() as snapshot:
            found = await get_brand_by_slug(snapshot, brand)
        password = await prepare_password()
        operator = await database.in_transaction(
            create_operator,
            system_actor(found.id),
            email=email,
            name=name or email,
            role=role.value,
            password=password,
        )
        return {
            "operator_id": str(operator.id),
            "email": operator.email,
            "password": password.clear,
        }

    made = with_database(settings, work)
    say(made, as_json, f"Operator {made['email']} is made. Password: {made['password']}")
