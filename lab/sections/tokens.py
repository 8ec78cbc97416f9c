"""API tokens of users."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.errors import bad_parameter, failure
from lab.formats import split_list
from lab.routes import handles
from lab.store import Store, Value

_GIVEN = ("comment", "expire", "privsep")


def tokens_of(store: Store, user: str) -> dict[str, dict[str, Any]]:
    """The tokens of a user by name, as they are shown; not the lab's own, which is no part of
    the cluster."""
    start = f"{user}!"
    return {
        name.removeprefix(start): shown(row)
        for name, row in store.items("token")
        if name.startswith(start) and not row.get("of_lab")
    }


def kept_text(text: str) -> str:
    """A text as the file of users keeps it: without blanks around it, and a bare 0 is nothing."""
    stripped = text.strip(" ")
    return "" if stripped == "0" else stripped


def _kept(row: Value) -> Value:
    return {**row, "comment": kept_text(row["comment"])} if row.get("comment") else row


def shown(row: Value) -> dict[str, Any]:
    """A token without what is kept of its secret."""
    return {name: row[name] for name in _GIVEN if row.get(name) not in (None, "")}


def _key(call: Call) -> str:
    return f"{call.params['userid']}!{call.params['tokenid']}"


def _find(call: Call) -> Value:
    row = call.lab.store.get("token", _key(call))
    if row is None:
        user, name = call.params["userid"], call.params["tokenid"]
        raise failure(f"no such token '{name}' for user '{user}'")
    return row


def _check_user(call: Call) -> None:
    if call.lab.store.get("user", call.params["userid"]) is None:
        raise failure(f"no such user ('{call.params['userid']}')")


@handles("GET", "/access/users/{userid}/token")
async def list_tokens(call: Call) -> Any:
    """The tokens of a user."""
    _check_user(call)
    tokens = tokens_of(call.lab.store, call.params["userid"])
    return [{"tokenid": name, **token} for name, token in tokens.items()]


@handles("GET", "/access/users/{userid}/token/{tokenid}")
async def read_token(call: Call) -> Any:
    """One token."""
    _check_user(call)
    return shown(_find(call))


def _told(name: str, value: Any) -> bool:
    """Whether a value is in the answer to who made the token: a comment that is nothing is not."""
    return value is not None and (name != "comment" or value not in ("", "0"))


@handles("POST", "/access/users/{userid}/token/{tokenid}")
async def create_token(call: Call) -> Any:
    """A new token; this answer is the only one that has its secret.

    What was given comes back under `info` as the text it was, defaults as numbers.
    """
    _check_user(call)
    if call.lab.store.get("token", _key(call)) is not None:
        raise bad_parameter("tokenid", "Token already exists.")
    given = {name: call.params[name] for name in _GIVEN if name in call.params}
    row = _kept({"privsep": 1, "expire": 0} | given)
    user, name = call.params["userid"], call.params["tokenid"]
    secret = call.lab.authority.add_token(user, name, **row)
    info: dict[str, Any] = {"privsep": 1}
    info |= {name: call.raw[name] for name in _GIVEN if _told(name, call.raw.get(name))}
    return {"full-tokenid": _key(call), "value": secret, "info": info}


@handles("PUT", "/access/users/{userid}/token/{tokenid}")
async def change_token(call: Call) -> Any:
    """Change a token, or give it a new secret; answers with the token."""
    _check_user(call)
    row = _find(call)
    given = {name: call.params[name] for name in _GIVEN if name in call.params}
    changed = {**row, **given}
    for name in split_list(call.params.get("delete", "")):
        if name != "comment":
            raise failure(
                "updating token info failed: 400 Parameter verification failed.\n"
                f"delete: unknown option '{name}'\n"
            )
        changed.pop(name, None)
    shown_now = shown(changed)
    answer = shown_now | {name: call.raw[name] for name in given if name in shown_now}
    if call.params.get("regenerate"):
        call.lab.store.delete("token", _key(call))
        rest = {name: value for name, value in _kept(changed).items() if name != "hash"}
        user, name = call.params["userid"], call.params["tokenid"]
        secret = call.lab.authority.add_token(user, name, **rest)
        return answer | {"value": secret, "full-tokenid": _key(call)}
    call.lab.store.put("token", _key(call), _kept(changed))
    return answer


@handles("DELETE", "/access/users/{userid}/token/{tokenid}")
async def delete_token(call: Call) -> Any:
    """Remove a token and its rights."""
    _check_user(call)
    _find(call)
    for key, entry in call.lab.store.items("acl"):
        if entry["type"] == "token" and entry["ugid"] == _key(call):
            call.lab.store.delete("acl", key)
    call.lab.store.delete("token", _key(call))
