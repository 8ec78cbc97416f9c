"""Passwords of a stack: derived from its one secret, and handed on as secrets."""

from __future__ import annotations

import pulumi

from components.virtual_cluster import Passwords
from plan import secrets


def stack_passwords() -> Passwords:
    """A function from a label of the plan to the password behind it.

    A preview needs no secret: passwords are left out then. An update that needs one and has none
    ends in a `RunError`, since guests without a login help nobody.
    """
    secret = pulumi.Config().get("secret")

    def password(label: str) -> pulumi.Output[str] | None:
        if secret:
            return pulumi.Output.secret(secrets.password(secret, label))
        if pulumi.runtime.is_dry_run():
            return None
        raise pulumi.RunError(
            "the stack has no secret to derive passwords from; type: "
            "openssl rand -hex 32 | pulumi config set --secret practicum:secret"
        )

    return password
