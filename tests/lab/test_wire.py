"""Habits of the wire that clients of Proxmox VE rely on."""

from __future__ import annotations

import json
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.lab.direct import SEED
from tests.lab.served import ServedLab

UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"


@pytest.mark.parametrize("path", ["version", "version/", "/version", "//version//"])
def test_empty_segments_of_a_path_do_not_count(lab: ServedLab, path: str) -> None:
    assert lab.get(path)["release"] == "9.2"


def test_a_path_with_dots_is_taken_literally(lab: ServedLab) -> None:
    assert lab.call("GET", "pools/%2e%2e").reason == "pool '..' does not exist"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "nosuch"), ("POST", "version"), ("GET", "pools/a/b"), ("POST", "pools/bad%20name")],
)
def test_a_call_that_does_not_exist_is_501_with_its_name(
    lab: ServedLab, method: str, path: str
) -> None:
    answer = lab.call(method, path)
    named = f"/{path.replace('%20', ' ')}"
    assert (answer.status, answer.message) == (501, f"Method '{method} {named}' not implemented")


def test_the_reason_is_the_first_line_of_the_message(lab: ServedLab) -> None:
    answer = lab.call("POST", "cluster/backup", schedule="daily")
    assert (answer.status, answer.reason) == (500, "400 Parameter verification failed.")
    assert answer.message == "400 Parameter verification failed.\nvmid: property is missing\n"


def test_faults_of_parameters_come_by_name(lab: ServedLab) -> None:
    answer = lab.call("POST", "pools", foo="1")
    assert (answer.status, answer.message) == (400, "Parameter verification failed.\n")
    assert answer.errors == {
        "poolid": "property is missing and it is not optional",
        "foo": UNKNOWN,
    }


def test_a_method_of_other_protocols_is_refused_without_a_body(lab: ServedLab) -> None:
    answer = lab.client.send("PATCH", "version")
    assert (answer.status, answer.reason, answer.body) == (501, "method 'PATCH' not available", b"")


def test_json_bodies_are_taken_too(lab: ServedLab) -> None:
    kind = {"Content-Type": "application/json"}
    lab.client.send("POST", "pools", json.dumps({"poolid": "a", "comment": "ü"}), kind).ok()
    assert lab.get("pools/a")["comment"] == "ü"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"poolid":["a","b"]}', "type check ('string') failed - got ARRAY"),
        ('{"poolid":true}', "type check ('string') failed - got JSON::PP::Boolean"),
        ('{"poolid":{}}', "type check ('string') failed - got HASH"),
        ('{"poolid":null}', "property is missing and it is not optional"),
    ],
)
def test_json_values_that_are_no_text_are_named(lab: ServedLab, body: str, text: str) -> None:
    answer = lab.client.send("POST", "pools", body, {"Content-Type": "application/json"})
    assert answer.errors == {"poolid": text}


def test_broken_json_is_a_fault_of_the_server(lab: ServedLab) -> None:
    answer = lab.client.send("POST", "pools", "{bad", {"Content-Type": "application/json"})
    assert answer.status == 500
    assert answer.reason.startswith('\'"\' expected, at character offset 1 (before "bad")')


@pytest.mark.parametrize("word", ['"\\ud800"', "NaN", "-Infinity"])
def test_what_is_json_to_others_only_is_refused_and_nothing_breaks(
    lab: ServedLab, word: str
) -> None:
    body = f'{{"poolid":"a","comment":{word}}}'
    answer = lab.client.send("POST", "pools", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.body[:2] != b"{}") == (500, True)
    assert "at character offset" in answer.reason
    lab.call("POST", "pools", poolid="b").ok()


def test_a_number_beyond_64_bits_is_kept_as_perl_keeps_it(lab: ServedLab) -> None:
    for name, number, kept in (
        ("za", "9" * 20, 1e20),
        ("zb", "-" + "9" * 400, -1.797e308),
        ("zc", "9" * 5000, 1.797e308),
    ):
        lab.call("POST", "cluster/sdn/zones", zone=name, type="simple", mtu=number).ok()
        assert lab.get(f"cluster/sdn/zones/{name}")["mtu"] == pytest.approx(kept, rel=1e-3)
    lab.restart()
    assert lab.get("cluster/sdn/zones/za")["mtu"] == 1e20


def test_other_content_types_are_506(lab: ServedLab) -> None:
    answer = lab.client.send("POST", "pools", "<p/>", {"Content-Type": "text/xml"})
    assert (answer.status, answer.reason) == (
        506,
        "upload 'Content-Type 'text/xml' not implemented",
    )


def test_a_delete_with_a_body_is_refused(lab: ServedLab) -> None:
    answer = lab.client.send("DELETE", "pools", "poolid=a")
    assert (answer.status, answer.reason) == (501, "Unexpected content for method 'DELETE'")


def test_a_form_of_more_than_half_a_megabyte_is_refused(lab: ServedLab) -> None:
    answer = lab.call("POST", "pools", poolid="a", comment="x" * 600_000)
    assert (answer.status, answer.reason) == (501, "for data too large")
    lab.client.close()
    assert lab.get("pools") == []


def test_a_name_given_twice_is_a_list(lab: ServedLab) -> None:
    answer = lab.call("POST", "pools", poolid=["a", "a"])
    assert answer.errors == {"poolid": "type check ('string') failed - got ARRAY"}


def test_a_body_may_repeat_the_path_but_not_contradict_it(lab: ServedLab) -> None:
    lab.call("POST", "pools", poolid="a").ok()
    lab.call("PUT", "pools/a", poolid="a", comment="c").ok()
    answer = lab.call("PUT", "pools/a", poolid="b")
    assert answer.errors == {
        "poolid": "duplicate parameter (already defined in URI) with conflicting values!"
    }


def test_semicolons_separate_pairs_of_a_form(lab: ServedLab) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    lab.client.send("POST", "pools", "poolid=a;comment=b+c%26", kind).ok()
    assert lab.get("pools/a")["comment"] == "b c&"


def test_an_unknown_host_fails_to_be_looked_up_before_parameters_are_checked(
    lab: ServedLab,
) -> None:
    answer = lab.call("GET", "nodes/nosuch/qemu", foo="1")
    assert answer.status == 500
    assert answer.reason.startswith("hostname lookup 'nosuch' failed - failed to get address info")


def test_localhost_is_the_host_that_was_called(lab: ServedLab) -> None:
    lab.call("PUT", "nodes/localhost/time", timezone="Europe/Vienna").ok()
    assert lab.get("nodes/pve1/time")["timezone"] == "Europe/Vienna"


def test_folders_list_what_is_below_them(lab: ServedLab) -> None:
    assert {"subdir": "acl"} in lab.get("access")
    assert {"name": "qemu"} in lab.get("nodes/pve1")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_current_tls_versions_are_offered(lab: ServedLab, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(lab.state / "ca.pem"))
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", lab.server.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.version() == version.name.replace("v1_", "v1.")


def test_a_refusal_waits_as_long_as_it_is_told_to(tmp_path: Path) -> None:
    served = ServedLab(tmp_path, SEED, auth_delay_s=0.3)
    try:
        start = time.monotonic()
        assert served.client_with({}).call("GET", "version").status == 401
        assert time.monotonic() - start >= 0.3
    finally:
        served.close()


def test_every_request_leaves_a_line_without_secrets(lab: ServedLab) -> None:
    lab.call("POST", "access/users", userid="u@pve", password="hunter2hunter2").ok()
    lab.call("GET", "nosuch")
    lab.client_with({}).call("GET", "version")
    lab.server.log.flush()
    text = (lab.state / "requests.jsonl").read_text()
    assert "hunter2" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["method"], line["path"], line["status"], line["user"]) for line in lines] == [
        ("POST", "/access/users", 200, "root@pam!practicum"),
        ("GET", "/nosuch", 501, "root@pam!practicum"),
        ("GET", "/version", 401, None),
    ]
    assert lines[0]["params"] == {"userid": "u@pve", "password": "********"}


def test_files_with_secrets_are_the_owners_alone(lab: ServedLab) -> None:
    assert lab.state.stat().st_mode & 0o777 == 0o700
    for name in ("password", "token", "ticket.key", "server.key", "ca.key"):
        assert (lab.state / name).stat().st_mode & 0o777 == 0o600, name


def test_a_key_that_comes_twice_is_a_list_where_a_text_holds_one(lab: ServedLab) -> None:
    for group in ("a", "b"):
        lab.call("POST", "access/groups", groupid=group).ok()
    lab.call("POST", "access/users", userid="u@pve", groups=["a", "b"]).ok()
    assert lab.get("access/users/u@pve")["groups"] == ["a", "b"]
    kind = {"Content-Type": "application/json"}
    lab.client.send("PUT", "access/users/u@pve", '{"groups":["b"]}', kind).ok()
    assert lab.get("access/users/u@pve")["groups"] == ["b"]
