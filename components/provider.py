"""The connection to a site's Proxmox VE API, and where its token comes from."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
import pulumi_proxmoxve as proxmoxve

from plan.records import Api

TOKEN_VARIABLE = "PROXMOX_VE_API_TOKEN"  # noqa: S105 - the name of a variable
PREVIEW_TOKEN = "preview@pve!preview=00000000-0000-0000-0000-000000000000"  # noqa: S105


def site_provider(
    name: str, api: Api, *, own_token: bool = False, lab: bool = False
) -> proxmoxve.Provider:
    """The provider of the site `name`; raises `RunError` when no token is to be had for an update.

    The token comes from the secret `practicum:apiToken`, from `api.tokenFile`, or from the
    variable PROXMOX_VE_API_TOKEN, which the provider reads by itself so that it stays out of the
    state. With `own_token` the variable comes before the file: it holds the token that the site
    made for the event, and the file the site's. A preview sends nothing, so it goes without. A
    `lab` makes its own token when it is started, so there the way out is another one.
    """
    return proxmoxve.Provider(
        name,
        proxmoxve.ProviderArgs(
            endpoint=api.endpoint,
            insecure=api.insecure,
            api_token=_api_token(api, own_token=own_token, missing=_way_out(name, lab=lab)),
        ),
    )


def _way_out(name: str, *, lab: bool) -> str:
    """What a person does who has no token."""
    if lab:
        return f'type: ./practicum lab start {name}, and again: eval "$(./practicum env)"'
    return (
        f"set the variable {TOKEN_VARIABLE} to user@realm!name=secret, or type: "
        "pulumi config set --secret practicum:apiToken"
    )


def _api_token(api: Api, *, own_token: bool, missing: str) -> pulumi.Output[str] | None:
    configured = pulumi.Config().get_secret("apiToken")
    if configured is not None:
        return configured
    if own_token and os.environ.get(TOKEN_VARIABLE):
        return None
    if api.token_file is not None:
        path = Path(api.token_file).expanduser()
        if path.is_file():
            return pulumi.Output.secret(path.read_text().strip())
    if os.environ.get(TOKEN_VARIABLE):
        return None
    if pulumi.runtime.is_dry_run():
        return pulumi.Output.secret(PREVIEW_TOKEN)
    raise pulumi.RunError(f"no API token for {api.endpoint}; {missing}")
