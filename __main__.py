"""The Pulumi program: read the stack file, decide the plan, build its resources, export."""

import os
from pathlib import Path

import pulumi

from components.event import build_event
from components.provider import site_provider
from components.secrets import stack_passwords
from components.site import build_site
from event.problems import PracticumError
from event.read import EventStack, read_stack
from plan.digest import plan_digest
from plan.outputs import outputs
from plan.plan import plan_event, plan_site

FOLDER = Path(os.environ.get("PRACTICUM_STACKS", Path(__file__).parent / "stacks"))


def main() -> None:
    """Build the stack that the engine names; mistakes in its file end without a traceback."""
    config = pulumi.Config()
    given = {f"practicum:{key}": config.get_object(key) for key in ("site", "lab", "event")}
    name = os.environ.get("PRACTICUM_STACK_FILE", pulumi.get_stack())
    try:
        stack = read_stack(name, FOLDER, config=given)
        plan = plan_event(stack) if isinstance(stack, EventStack) else plan_site(stack)
    except PracticumError as error:
        raise pulumi.RunError(str(error)) from None
    provider = site_provider(plan.site if isinstance(stack, EventStack) else stack.name, plan.api)
    passwords = stack_passwords()
    if isinstance(stack, EventStack):
        build_event(plan, provider=provider, passwords=passwords)
    else:
        build_site(plan, provider=provider, passwords=passwords)
    for key, value in (outputs(plan) | {"planDigest": plan_digest(plan)}).items():
        pulumi.export(key, value)


main()
