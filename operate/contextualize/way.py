"""A way to a guest: waits until it can be gone, and has the guest's own Python run a program.

Everything that may be secret goes through the program's standard input, never through arguments.
"""

from __future__ import annotations

import base64
import inspect
import json
import zlib
from abc import ABC, abstractmethod
from typing import Any

from event.problems import RunError
from operate.contextualize import carrier

ENDS_S = 1800.0
"""How long one program may take on a guest: installing all packages from a slow mirror."""
LOADER = (
    "import base64,sys,zlib;"
    "exec(zlib.decompress(base64.b64decode(sys.stdin.read().split()[-1])).decode(),{'__name__':'practicum'})"
)
"""A program of Python that runs the packed one at the end of its standard input."""


class GuestError(RunError):
    """A guest did not do what it was asked for; `cause` is a word for reports."""

    def __init__(self, cause: str, text: str) -> None:
        super().__init__(text)
        self.cause = cause


class Way(ABC):
    """A way to one guest; what it runs there, it runs as root."""

    @abstractmethod
    def wait(self) -> None:
        """Wait until the guest answers. Raises `GuestError`: off, silent, or not to be asked."""

    @abstractmethod
    def run(self, packed: str) -> str:
        """The output of a packed program. Raises `GuestError`."""

    @property
    def told(self) -> str:
        """How the guest is reached, where people should know."""
        return ""

    def python(self, program: str) -> str:
        """The output of a program of Python. Raises `GuestError`."""
        return self.run(base64.b64encode(zlib.compress(program.encode(), 9)).decode())

    def answer(self, module: str, call: str, **values: Any) -> dict[str, Any]:
        """What a call in the text of a module answers; `values` are names that it uses, as JSON."""
        given = json.dumps(values)
        program = f"{module}\nglobals().update(json.loads({given!r}))\nprint(json.dumps({call}))\n"
        output = self.python(program)
        try:
            report: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise GuestError("garbled", f"its report cannot be read: {output[-200:]!r}") from None
        return report

    def carry_out(self, orders: dict[str, Any]) -> dict[str, Any]:
        """Have the guest's Python carry out orders; the report of `carrier.settled_and_done`."""
        return self.answer(inspect.getsource(carrier), "settled_and_done(orders)", orders=orders)
