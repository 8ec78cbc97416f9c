"""One API call on its way through the lab: who asks for what, with which checked parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from lab.app import Lab


@dataclass(slots=True)
class Upload:
    """A file that came in a multipart body, already written to disk.

    `size` is in bytes; `path` belongs to the handler, which moves or removes the file. Whatever
    is still there after the answer is removed.
    """

    field: str
    filename: str
    path: Path
    size: int


@dataclass(slots=True)
class Call:
    """A call after routing, credentials, rights and parameter checks.

    - `path`: as asked, with single slashes and without the API prefix, for messages
    - `pattern`: the same with variables, such as `/nodes/{node}/qemu/{vmid}`
    - `params`: checked and typed (int, float, bool as 0/1, str), path variables included;
      defaults are not filled in
    - `raw`: the parameters as they came, path variables included
    - `user`: `name@realm`, or `name@realm!token`
    - `extra`: further keys of the answer beside `data`, such as `total`
    """

    lab: Lab
    method: str
    path: str
    pattern: str
    params: dict[str, Any]
    user: str
    raw: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    upload: Upload | None = None

    @property
    def account(self) -> str:
        """The user behind the call, without the name of a token."""
        return self.user.partition("!")[0]

    @property
    def by_token(self) -> bool:
        """Whether the caller showed an API token instead of a ticket."""
        return "!" in self.user

    @property
    def is_root(self) -> bool:
        """Whether the caller is root@pam with a ticket; a token of root is not."""
        return self.user == "root@pam"
