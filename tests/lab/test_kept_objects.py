"""Objects that the lab keeps without acting on them: mappings, metric servers, realms, plugins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.lab.served import ServedLab

STALE = "0" * 40


@dataclass(frozen=True, kw_only=True)
class Life:
    """One kind of object: how it is made, changed and found, and what refusals say."""

    path: str
    key: str = "id"
    name: str = "one"
    create: dict[str, Any]
    change: dict[str, Any]
    changed: dict[str, Any]
    drop: str = ""
    kept: dict[str, Any] = field(default_factory=dict)
    own_path: bool = False
    twice: str
    absent: str
    gone_again: str | None = None


PCI = "node=pve1,id=8086:1533,path=0000:01:00.0,iommugroup=4"
LIVES = [
    Life(
        path="cluster/mapping/pci",
        create={"map": PCI, "description": "card"},
        change={"map": PCI, "mdev": 1},
        changed={"mdev": 1, "map": [PCI], "type": "pci"},
        drop="description",
        twice="create hardware mapping failed: pci ID 'one' already defined",
        absent="mapping 'one' not found",
    ),
    Life(
        path="cluster/mapping/usb",
        create={"map": "node=pve1,id=1234:5678"},
        change={"map": ["node=pve1,id=1234:5678", "node=pve2,id=1234:5678,path=1-2.3"]},
        changed={"map": ["node=pve1,id=1234:5678", "node=pve2,id=1234:5678,path=1-2.3"]},
        twice="create hardware mapping failed: usb ID 'one' already defined",
        absent="mapping 'one' not found",
    ),
    Life(
        path="cluster/mapping/dir",
        create={"map": "node=pve1,path=/srv/share"},
        change={"map": "node=pve2,path=/srv/share", "description": "files"},
        changed={"map": ["node=pve2,path=/srv/share"], "description": "files"},
        twice="create directory mapping failed: dir ID 'one' already defined",
        absent="mapping 'one' not found",
    ),
    Life(
        path="cluster/metrics/server",
        own_path=True,
        create={"type": "influxdb", "server": "192.0.2.9", "port": 8086, "token": "s3cret"},
        change={"server": "192.0.2.9", "port": 8089, "mtu": 1400, "influxdbproto": "http"},
        changed={"port": 8089, "mtu": 1400, "influxdbproto": "http", "type": "influxdb"},
        drop="mtu",
        twice="Metric server 'one' already exists",
        absent="status server entry 'one' does not exist",
        gone_again="cannot lookup undefined type!",
    ),
    Life(
        path="access/domains",
        key="realm",
        create={
            "type": "ldap", "server1": "192.0.2.9", "base_dn": "dc=example", "user_attr": "uid",
            "password": "s3cret", "sync-defaults-options": "scope=users,full=1,purge=1",
        },
        change={"comment": "directory", "mode": "ldaps", "default": 1},
        changed={
            "comment": "directory", "mode": "ldaps", "default": 1, "type": "ldap",
            "sync-defaults-options": "remove-vanished=entry;properties;acl,scope=users",
        },
        drop="mode",
        twice="add auth server failed: domain 'one' already exists",
        absent="domain 'one' does not exist",
        gone_again="delete auth server failed: authentication domain 'one' does not exist",
    ),
    Life(
        path="access/domains",
        key="realm",
        create={"type": "openid", "issuer-url": "https://id.example", "client-id": "pve"},
        change={"autocreate": 1, "scopes": "email"},
        changed={"autocreate": 1, "scopes": "email", "client-id": "pve"},
        drop="scopes",
        twice="add auth server failed: domain 'one' already exists",
        absent="domain 'one' does not exist",
        gone_again="delete auth server failed: authentication domain 'one' does not exist",
    ),
    Life(
        path="cluster/acme/plugins",
        create={"type": "dns", "api": "pdns", "data": "QT0x"},
        change={"validation-delay": 10, "disable": 1},
        changed={"validation-delay": 10, "disable": 1, "data": "A=1", "plugin": "one"},
        drop="validation-delay",
        twice="ACME plugin ID 'one' already exists",
        absent="ACME plugin 'one' not defined",
    ),
]  # fmt: skip


def make(lab: ServedLab, life: Life) -> Any:
    if life.own_path:
        return lab.call("POST", f"{life.path}/{life.name}", **life.create)
    return lab.call("POST", life.path, **{life.key: life.name}, **life.create)


@pytest.mark.parametrize(
    "life", LIVES, ids=lambda life: f"{life.path}-{life.create.get('type', '')}"
)
def test_an_object_is_made_once_changed_and_removed(lab: ServedLab, life: Life) -> None:
    path = f"{life.path}/{life.name}"
    assert lab.call("GET", path).reason == life.absent
    make(lab, life).ok()
    assert make(lab, life).reason == life.twice
    lab.call("PUT", path, **life.change).ok()
    found = lab.get(path)
    assert {key: found.get(key) for key in life.changed} == life.changed
    assert "s3cret" not in str(found)
    stale = lab.call("PUT", path, **life.change, digest=STALE)
    assert "detected modified configuration" in stale.reason
    if life.drop:
        required = {
            name: life.change[name] for name in ("map", "server", "port") if name in life.change
        }
        lab.call("PUT", path, **required, delete=life.drop).ok()
        assert life.drop not in lab.get(path)
    names = [row.get(life.key, row.get("plugin")) for row in lab.get(life.path)]
    assert life.name in names
    lab.call("DELETE", path).ok()
    assert lab.call("GET", path).status == 500
    again = lab.call("DELETE", path)
    assert again.status == (500 if life.gone_again else 200)
    assert again.reason.startswith(life.gone_again or "OK")


@pytest.mark.parametrize(
    ("path", "params", "reason", "errors"),
    [
        (
            "access/domains",
            {"realm": "pve", "type": "openid", "issuer-url": "x", "client-id": "y"},
            "add auth server failed: domain 'pve' already exists",
            {},
        ),
        (
            "access/domains",
            {"realm": "mine", "type": "pve"},
            "add auth server failed: unable to create builtin type 'pve'",
            {},
        ),
        (
            "access/domains",
            {"realm": "mine", "type": "openid", "server1": "192.0.2.9"},
            "add auth server failed: unexpected property 'server1'",
            {},
        ),
        (
            "access/domains",
            {"realm": "mine", "type": "ldap", "server1": "192.0.2.9", "base_dn": "dc=x"},
            "add auth server failed: missing value for required option 'user_attr'",
            {},
        ),
        (
            "cluster/mapping/dir",
            {"id": "two", "map": ["node=pve1,path=/a", "node=pve1,path=/b"]},
            "Node 'pve1' is specified 2 times.",
            {},
        ),
        (
            "cluster/mapping/pci",
            {"id": "two", "map": "node=pve1,id=junk,path=0000:01:00"},
            "Parameter verification failed.",
            {
                "map[0]": "invalid format - format error\nmap[0].id: value does not match the "
                "regex pattern\n"
            },
        ),
        (
            "cluster/metrics/server/two",
            {"type": "graphite", "server": "192.0.2.9", "port": 2003, "bucket": "b"},
            "unexpected property 'bucket'",
            {},
        ),
    ],
)
def test_what_does_not_fit_the_kind_is_refused(
    lab: ServedLab, path: str, params: dict[str, Any], reason: str, errors: dict[str, str]
) -> None:
    answer = lab.call("POST", path, **params)
    assert (answer.reason, answer.errors) == (reason, errors)


def test_a_check_on_a_host_finds_no_devices_there(lab: ServedLab) -> None:
    lab.call("POST", "cluster/mapping/pci", id="card", map=PCI).ok()
    (here,) = lab.get("cluster/mapping/pci", **{"check-node": "pve1"})
    assert [row["severity"] for row in here["checks"]] == ["error"]
    (there,) = lab.get("cluster/mapping/pci", **{"check-node": "pve2"})
    assert there["checks"] == [{"severity": "warning", "message": "No mapping for node pve2."}]


def test_a_sync_of_a_realm_ends_without_a_directory(lab: ServedLab) -> None:
    directory = {"server1": "192.0.2.9", "base_dn": "dc=x", "user_attr": "uid"}
    lab.call("POST", "access/domains", realm="dir", type="ldap", **directory).ok()
    no_scope = lab.call("POST", "access/domains/dir/sync")
    assert "scope" in no_scope.errors
    task = lab.finish(lab.call("POST", "access/domains/dir/sync", scope="users").ok())
    assert task["status"].startswith("unable to connect to 192.0.2.9")


def test_package_sources_are_added_once_and_switched(lab: ServedLab) -> None:
    path = "nodes/pve1/apt/repositories"

    def standard() -> dict[str, Any]:
        return {r["handle"]: r.get("status") for r in lab.get(path)["standard-repos"]}

    assert (standard()["enterprise"], standard()["no-subscription"]) == (1, None)
    lab.call("PUT", path, handle="no-subscription").ok()
    assert standard()["no-subscription"] == 1
    assert lab.call("PUT", path, handle="no-subscription").status == 500
    assert lab.call("PUT", path, handle="nosuch").status == 500
    before = lab.get(path)
    file = next(f for f in before["files"] if "proxmox" in f["path"])
    index = len(file["repositories"]) - 1
    digest = before["digest"]
    lab.call("POST", path, path=file["path"], index=index, enabled=0, digest=digest).ok()
    assert standard()["no-subscription"] == 0
    stale = lab.call("POST", path, path=file["path"], index=index, enabled=1, digest=digest)
    assert "detected modified configuration" in stale.reason


def test_a_certificate_of_ones_own_is_kept_with_its_key_only(lab: ServedLab) -> None:
    path = "nodes/pve1/certificates"
    chain = (lab.state / "server.pem").read_text()
    key = (lab.state / "server.key").read_text()
    wrong = (lab.state / "ca.key").read_text()
    assert lab.call("POST", f"{path}/custom", certificates=chain).errors.keys() == {"key"}
    assert lab.call("POST", f"{path}/custom", certificates="junk", key=key).status == 400
    assert lab.call("POST", f"{path}/custom", certificates=chain, key=wrong).status == 500
    lab.call("POST", f"{path}/custom", certificates=chain, key=key).ok()
    assert lab.call("POST", f"{path}/custom", certificates=chain, key=key).status == 500
    lab.call("POST", f"{path}/custom", certificates=chain, force=1).ok()
    names = [row["filename"] for row in lab.get(f"{path}/info")]
    assert names == ["pve-root-ca.pem", "pve-ssl.pem", "pveproxy-ssl.pem"]
    lab.call("DELETE", f"{path}/custom").ok()
    assert len(lab.get(f"{path}/info")) == 2


def test_secrets_of_kept_objects_are_not_in_the_log_of_requests(lab: ServedLab) -> None:
    for life in LIVES:
        make(lab, life)
        lab.call("DELETE", f"{life.path}/{life.name}")
    assert "s3cret" not in (lab.state / "requests.jsonl").read_text()
