"""The Pulumi program: read the stack file, decide the plan, build its resources, export."""

import os
from pathlib import Path

import pulumi

from components.event import build_event
from components.lanes import turns
from components.occupied import stop_if_occupied
from components.provider import site_provider
from components.secrets import stack_passwords
from components.site import build_site
from event.problems import PracticumError
from event.read import read_stack
from event.stack import EventStack
from plan.digest import plan_digest
from plan.kept_disks import VARIABLE, from_text, with_kept_disks, written_disks
from plan.outputs import outputs
from plan.plan import plan_event, plan_site

FOLDER = Path(os.environ.get("PRACTICUM_STACKS", Path(__file__).parent / "stacks"))


def main() -> None:
    """Build the stack that the engine names."""
    config = pulumi.Config()
    given = {f"practicum:{key}": config.get_object(key) for key in ("site", "lab", "event")}
    name = os.environ.get("PRACTICUM_STACK_FILE", pulumi.get_stack())
    stack = read_stack(name, FOLDER, config=given)
    passwords = stack_passwords()
    if isinstance(stack, EventStack):
        event = plan_event(stack)
        lab, own = stack.site.lab is not None, event.access.by_site
        provider = site_provider(event.site, event.api, own_token=own, lab=lab)
        stop_if_occupied(stack.name, (guest.vmid for guest in event.guests), provider)
        kept = with_kept_disks(event, from_text(os.environ.get(VARIABLE, "")))
        build_event(kept, provider=provider, passwords=passwords, hooks=turns(event).binding())
        disks = written_disks(event.guests)
        export(outputs(event) | {"planDigest": plan_digest(event), "disksGib": disks})
    else:
        site = plan_site(stack)
        provider = site_provider(stack.name, site.api, lab=stack.lab is not None)
        stop_if_occupied(stack.name, site.template_vmids, provider)
        tokens = build_site(site, provider=provider, passwords=passwords)
        export(outputs(site) | {"planDigest": plan_digest(site)})
        if tokens:
            pulumi.export("eventTokens", pulumi.Output.secret(tokens))


def export(values: dict[str, object]) -> None:
    """Make values outputs of the stack."""
    for key, value in values.items():
        pulumi.export(key, value)


try:
    main()
except PracticumError as error:  # a mistake of the user's: its message, and no traceback
    raise pulumi.RunError(str(error)) from None
