"""HA resources: the guests that the manager watches."""

from __future__ import annotations

from typing import Any

from lab.call import Call
from lab.digest import check_digest, digest_of
from lab.errors import failure
from lab.formats import split_list
from lab.ha import config as ha
from lab.ha.affinity import motion
from lab.routes import handles
from lab.section_file import Section, filled, within

_META = ("sid", "type", "digest", "delete")
_MOVED = "ha groups have been migrated to rules"


def _given(params: dict[str, Any]) -> Section:
    return {name: value for name, value in params.items() if name not in _META}


def _shown(call: Call, sid: str) -> dict[str, Any]:
    rows = dict(call.lab.store.items(ha.RESOURCE))
    if sid not in rows:
        raise failure(f"no such resource '{sid}'")
    return {"sid": sid, "type": sid.partition(":")[0], **rows[sid], "digest": digest_of(rows)}


@handles("GET", "/cluster/ha/resources")
async def list_resources(call: Call) -> Any:
    """All resources, of one kind if asked for."""
    wanted = call.params.get("type")
    rows = [_shown(call, sid) for sid, _ in call.lab.store.items(ha.RESOURCE)]
    return [row for row in rows if wanted in (None, row["type"])]


@handles("GET", "/cluster/ha/resources/{sid}")
async def read_resource(call: Call) -> Any:
    """One resource; a VMID will do for its id."""
    return _shown(call, ha.parse_sid(call.lab.store, call.params["sid"]))


@handles("POST", "/cluster/ha/resources")
async def create_resource(call: Call) -> Any:
    """Watch a guest."""
    store, values = call.lab.store, _given(call.params)
    sid = ha.parse_sid(store, call.params["sid"])
    if call.params.get("type", sid.partition(":")[0]) != sid.partition(":")[0]:
        raise failure("types does not match")
    _refuse_group(values)
    ha.check_guest(store, sid)
    ha.RESOURCE_TYPE.check_new(values)
    with within("create resource failed"):
        if store.get(ha.RESOURCE, sid) is not None:
            raise failure(f"resource ID '{sid}' already defined")
        store.put(ha.RESOURCE, sid, filled(values))
    call.lab.ha.wake()


def _refuse_group(values: Section) -> None:
    if values.get("group"):
        raise failure(f"invalid parameter 'group': {_MOVED}")


@handles("PUT", "/cluster/ha/resources/{sid}")
async def change_resource(call: Call) -> Any:
    """Change and delete options; a new state is a request to the manager."""
    store, values = call.lab.store, _given(call.params)
    sid = ha.parse_sid(store, call.params["sid"])
    _refuse_group(values)
    _check_error(call, sid, values.get("state"))
    with within("update resources config failed"):
        check_digest(call.params.get("digest"), dict(store.items(ha.RESOURCE)))
        row = store.get(ha.RESOURCE, sid)
        if row is None:
            raise failure(f"no such resource '{sid}'")
        ha.RESOURCE_TYPE.check_change(values)
        gone = split_list(call.params.get("delete", ""))
        store.put(ha.RESOURCE, sid, filled(ha.RESOURCE_TYPE.without({**row, **values}, gone)))
    call.lab.ha.wake()


def _check_error(call: Call, sid: str, state: str | None) -> None:
    """A service in error has to be disabled before anything else is asked of it."""
    now = ha.guest_status(call.lab.store, sid.partition(":")[2]).get("state")
    if now == "error" and state != "disabled":
        raise failure(f"service '{sid}' in error state, must be disabled and fixed first")


@handles("DELETE", "/cluster/ha/resources/{sid}")
async def delete_resource(call: Call) -> Any:
    """Watch a guest no longer; rules about it go too, unless `purge` is 0."""
    store = call.lab.store
    sid = ha.parse_sid(store, call.params["sid"])
    if store.get(ha.RESOURCE, sid) is None:
        raise failure(f"cannot delete service '{sid}', not HA managed!")
    ha.forget(store, sid, rules=bool(call.params.get("purge", 1)))
    call.lab.ha.wake()


@handles("POST", "/cluster/ha/resources/{sid}/migrate")
async def migrate(call: Call) -> Any:
    """Ask for a service on another host, running all the time."""
    return _request(call, "migrate")


@handles("POST", "/cluster/ha/resources/{sid}/relocate")
async def relocate(call: Call) -> Any:
    """Ask for a service on another host, stopped in between."""
    return _request(call, "relocate")


def _request(call: Call, command: str) -> dict[str, Any]:
    """File a request; who moves along and who is in the way is told, a wrong host is not."""
    store, node = call.lab.store, call.params["node"]
    sid = ha.parse_sid(store, call.params["sid"])
    if not ha.is_managed(store, sid):
        raise failure(f"resource '{sid}' is not HA managed")
    _check_error(call, sid, None)
    along, blocking = motion(store, sid, node)
    for moved in (sid, *along):
        ha.queue(store, {"command": command, "sid": moved, "node": node})
    call.lab.ha.wake()
    answer: dict[str, Any] = {"sid": sid, "requested-node": node}
    if along:
        answer["comigrated-resources"] = along
    if blocking:
        answer["blocking-resources"] = [
            {"sid": other, "cause": "resource-affinity"} for other in blocking
        ]
    return answer


def _groups_are_gone(method: str, path: str, verb: str) -> None:
    @handles(method, path)
    async def refused(_call: Call) -> Any:
        raise failure(f"cannot {verb}: {_MOVED}")


for _method, _path, _verb in (
    ("GET", "/cluster/ha/groups", "index groups"),
    ("POST", "/cluster/ha/groups", "create group"),
    ("GET", "/cluster/ha/groups/{group}", "read group"),
    ("PUT", "/cluster/ha/groups/{group}", "update group"),
    ("DELETE", "/cluster/ha/groups/{group}", "delete group"),
):
    _groups_are_gone(_method, _path, _verb)
