"""Failures as Proxmox VE answers them: status, reason line, body form and faults per parameter."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus

VERIFICATION_FAILED = "Parameter verification failed."


class Body(Enum):
    """What follows the header of a failed answer.

    Proxmox VE answers in three forms: its API with an envelope (`JSON`), its HTTP front end with
    the bare text (`TEXT`), and refused credentials or lost hosts with nothing at all (`EMPTY`).
    """

    JSON = "json"
    TEXT = "text"
    EMPTY = "empty"


class ApiError(Exception):
    """A call that fails; the message's first line becomes the reason of the answer.

    `errors` maps parameter names to texts and is sent only when it is not empty.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: dict[str, str] | None = None,
        *,
        body: Body = Body.JSON,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors or {}
        self.body = body

    @property
    def reason(self) -> str:
        """The reason line: the first line of the message."""
        return self.message.partition("\n")[0]


class TaskError(Exception):
    """A task that ends with this text as its exit status and as `TASK ERROR: text` in its log."""


def late_text(error: ApiError) -> str:
    """A fault as text, once it is too late for a status of its own."""
    lines = "".join(f"{name}: {text}\n" for name, text in sorted(error.errors.items()))
    if lines:
        return f"{error.status} {error.message or VERIFICATION_FAILED}\n{lines}"
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return error.message
    return f"{error.status} {error.message}"


def bad_parameter(name: str, text: str) -> ApiError:
    """400 for one parameter."""
    return bad_parameters({name: text})


def bad_parameters(errors: dict[str, str]) -> ApiError:
    """400 for several parameters at once."""
    return ApiError(400, VERIFICATION_FAILED, errors)


def failure(text: str) -> ApiError:
    """500, Proxmox VE's answer to nearly everything that is not a matter of parameter form."""
    return ApiError(500, text)


def forbidden(text: str) -> ApiError:
    """403 with the text that names the path and the privileges that were missing."""
    return ApiError(403, f"Permission check failed ({text})" if text else "Permission check failed")


def not_implemented(method: str, path: str) -> ApiError:
    """501 for a method or path that does not exist, or that the lab does not have."""
    return ApiError(501, f"Method '{method} {path}' not implemented")


def unauthorized(reason: str) -> ApiError:
    """401 of the front end: no body at all."""
    return ApiError(401, reason, body=Body.EMPTY)


def unreachable(reason: str) -> ApiError:
    """595: the host that the call has to be passed on to does not answer."""
    return ApiError(595, reason, body=Body.EMPTY)
