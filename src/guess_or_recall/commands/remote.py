"""Say where `dvc push` and `dvc pull` go: `gor remote s3://BUCKET --endpoint URL`.

Without it the remotes `light` and `heavy` are folders beside the checkout. The address is written
into .dvc/config.local, which git does not see. DVC reads the keys of an S3 server from the
environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY); this command writes none.
"""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from guess_or_recall.errors import UserError

REMOTES = ("light", "heavy")


def main(
    address: Annotated[
        str, typer.Argument(help="s3://BUCKET or s3://BUCKET/FOLDER, or a folder of this machine")
    ],
    endpoint: Annotated[
        str, typer.Option(help="address of the S3 server (without it: Amazon's)")
    ] = "",
) -> None:
    """Put the remotes light and heavy below an address.

    Raises:
        UserError: the address or the endpoint is none, or holds a key.
    """
    check(address, endpoint)
    from dvc.repo import Repo  # slow to import

    with Repo() as repo, repo.config.edit("local") as config:
        for name in REMOTES:
            # keys that the user wrote there stay; DVC does not annotate what it yields
            settings = config["remote"].setdefault(name, {})  # pyright: ignore[reportIndexIssue]
            settings["url"] = f"{address.rstrip('/')}/{name}"
            settings.pop("endpointurl", None)
            if endpoint:
                settings["endpointurl"] = endpoint
    print(f"light and heavy are below {address} for this checkout (.dvc/config.local)")
    if endpoint:
        print(
            "if dvc push is refused with NotImplemented or a mismatch: export "
            "AWS_REQUEST_CHECKSUM_CALCULATION=when_required (docs/sharing.md)"
        )


def check(address: str, endpoint: str) -> None:
    """Refuse what is no address, and what would write a key into a file."""
    parts, server = urlsplit(address), urlsplit(endpoint)
    if parts.username or server.username:
        raise UserError(
            "an address holds no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
        )
    place = parts.netloc if parts.scheme == "s3" else parts.path
    if parts.scheme not in ("", "s3") or not place:
        raise UserError(f"'{address}': give s3://BUCKET, s3://BUCKET/FOLDER or a folder")
    if endpoint and parts.scheme != "s3":
        raise UserError(f"--endpoint {endpoint}: a folder has none, give s3://BUCKET")
    if endpoint and (server.scheme not in ("http", "https") or not server.hostname):
        raise UserError(f"--endpoint '{endpoint}': give http://HOST:PORT or https://HOST")
