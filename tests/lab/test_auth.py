"""Tickets, tokens, CSRF and what they let through."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.lab.served import Client, ServedLab

PASSWORD = "correct-horse"


def log_in(lab: ServedLab, user: str, password: str) -> Any:
    return lab.client_with({}).call("POST", "access/ticket", username=user, password=password)


def cookie(ticket: str, csrf: str = "") -> dict[str, str]:
    found = {"Cookie": f"PVEAuthCookie={quote(ticket)}"}
    return found | ({"CSRFPreventionToken": csrf} if csrf else {})


@pytest.fixture
def root(lab: ServedLab) -> dict[str, Any]:
    password = (lab.state / "password").read_text()
    found: dict[str, Any] = log_in(lab, "root@pam", password).ok()
    return found


@pytest.fixture
def user(lab: ServedLab) -> str:
    lab.call("POST", "access/users", userid="u@pve", password=PASSWORD).ok()
    return "u@pve"


def test_a_ticket_has_the_form_clients_look_for(root: dict[str, Any]) -> None:
    assert re.fullmatch(r"PVE:root@pam:[0-9A-F]{8}::[A-Za-z0-9+/=]+", root["ticket"])
    assert re.fullmatch(r"[0-9A-F]{8}:[A-Za-z0-9+/]{43}", root["CSRFPreventionToken"])
    assert root["cap"]["vms"]["VM.Allocate"] == 1


def test_a_failed_login_is_401_with_a_body(lab: ServedLab) -> None:
    answer = log_in(lab, "root@pam", "wrong")
    assert (answer.status, answer.message) == (401, "authentication failure\n")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "No ticket"),
        (cookie("junk"), "Authentication failed!"),
        (cookie("PVE:root@pam:00000000::AAAA"), "Authentication failed!"),
        ({"Authorization": "PVEAPIToken=root@pam!practicum=x"}, "Authentication failed!"),
        ({"Authorization": "PVEAPIToken=root@pam!practicum"}, "Authentication failed!"),
        ({"Authorization": "PVEAPIToken=junk"}, "Authentication failed!"),
    ],
)
def test_wrong_credentials_are_401_without_a_body(
    lab: ServedLab, headers: dict[str, str], reason: str
) -> None:
    answer = lab.client_with(headers).call("GET", "version")
    assert (answer.status, answer.reason, answer.body) == (401, reason, b"")


def test_a_call_that_does_not_exist_needs_credentials_too(lab: ServedLab) -> None:
    assert lab.client_with({}).call("GET", "nosuch").status == 401


@pytest.mark.parametrize("csrf", ["", "wrong", "00000000:" + "A" * 43])
def test_writes_with_a_ticket_need_its_csrf_token(
    lab: ServedLab, root: dict[str, Any], csrf: str
) -> None:
    client = lab.client_with(cookie(root["ticket"], csrf))
    client.call("GET", "version").ok()
    answer = client.call("POST", "pools", poolid="a")
    assert (answer.status, answer.reason) == (401, "Permission denied - invalid csrf token")
    lab.client_with(cookie(root["ticket"], root["CSRFPreventionToken"])).call(
        "POST", "pools", poolid="a"
    ).ok()


def test_a_csrf_token_of_another_user_does_not_help(
    lab: ServedLab, root: dict[str, Any], user: str
) -> None:
    mine = log_in(lab, user, PASSWORD).ok()
    client = lab.client_with(cookie(root["ticket"], mine["CSRFPreventionToken"]))
    assert client.call("POST", "pools", poolid="a").status == 401


def test_an_old_ticket_is_refused(lab: ServedLab, monkeypatch: pytest.MonkeyPatch) -> None:
    password = (lab.state / "password").read_text()
    monkeypatch.setattr("lab.auth.TICKET_LIFE_S", -1)
    ticket = log_in(lab, "root@pam", password).ok()["ticket"]
    assert lab.client_with(cookie(ticket)).call("GET", "version").status == 401


def test_a_ticket_stands_for_a_password(lab: ServedLab, user: str) -> None:
    ticket = log_in(lab, user, PASSWORD).ok()["ticket"]
    log_in(lab, user, ticket).ok()
    assert log_in(lab, "root@pam", ticket).status == 401


def test_a_ticket_of_root_gets_tickets_for_others(
    lab: ServedLab, root: dict[str, Any], user: str
) -> None:
    assert log_in(lab, user, root["ticket"]).ok()["username"] == user
    assert log_in(lab, "nobody@pve", root["ticket"]).status == 401


def test_a_login_with_a_path_tells_whether_the_user_may_and_gives_no_ticket(
    lab: ServedLab, user: str
) -> None:
    lab.call("PUT", "access/acl", path="/vms/100", roles="PVEVMUser", users=user).ok()
    asked = {"username": user, "password": PASSWORD, "path": "vms/100"}
    nobody = lab.client_with({})
    found = nobody.call("POST", "access/ticket", **asked, privs="VM.Audit VM.Console").ok()
    assert found.keys() == {"username", "cap"}
    for wrong in ({"privs": "VM.Audit,VM.Clone"}, {"privs": "VM.Audit", "path": "/a b"}):
        assert nobody.call("POST", "access/ticket", **(asked | wrong)).status == 401
    assert nobody.call("POST", "access/ticket", **asked).errors == {
        "privs": "missing property required by 'path'"
    }


@pytest.mark.parametrize("change", [{"enable": "0"}, {"expire": "1000000000"}])
def test_a_disabled_or_expired_account_is_locked_out_at_once(
    lab: ServedLab, user: str, change: dict[str, str]
) -> None:
    ticket = log_in(lab, user, PASSWORD).ok()["ticket"]
    token = lab.token_client(user, "tk", privsep="0")
    lab.call("PUT", f"access/users/{user}", **change).ok()
    assert log_in(lab, user, PASSWORD).status == 401
    assert lab.client_with(cookie(ticket)).call("GET", "version").status == 401
    assert token.call("GET", "version").status == 401


def test_credentials_outlive_a_restart(lab: ServedLab, root: dict[str, Any], user: str) -> None:
    token = lab.token_client(user, "tk", privsep="0").headers
    lab.restart()
    for headers in (cookie(root["ticket"], root["CSRFPreventionToken"]), token):
        lab.client_with(headers).call("GET", "version").ok()
    log_in(lab, user, PASSWORD).ok()


def test_passwords_and_token_secrets_are_not_in_the_database(lab: ServedLab, user: str) -> None:
    secret = lab.call("POST", f"access/users/{user}/token/tk").ok()["value"]
    lab.stop()
    content = (lab.state / "lab.db").read_bytes()
    assert PASSWORD.encode() not in content
    assert secret.encode() not in content
    lab.start()


def test_a_new_secret_takes_the_place_of_the_old_one(lab: ServedLab, user: str) -> None:
    old = lab.token_client(user, "tk", privsep="0")
    new = lab.call("PUT", f"access/users/{user}/token/tk", regenerate="1").ok()["value"]
    assert old.call("GET", "version").status == 401
    header = {"Authorization": f"PVEAPIToken={user}!tk={new}"}
    lab.client_with(header).call("GET", "version").ok()


def test_a_token_cannot_change_passwords(lab: ServedLab, user: str) -> None:
    token = lab.token_client(user, "tk", privsep="0")
    answer = token.call("PUT", "access/password", userid=user, password="another-one")
    assert answer.status == 403
    assert answer.reason == (
        "Permission check failed (URI '/access/password' not available with API token, "
        "need proper ticket."
    )


def test_the_labs_own_token_is_no_part_of_the_cluster(lab: ServedLab) -> None:
    assert lab.get("access/users/root@pam/token") == []
    assert lab.get("access/users/root@pam")["tokens"] is None


def test_only_one_process_may_have_a_state_folder(lab: ServedLab) -> None:
    from lab.serve import ServeError, lock_state

    with pytest.raises(ServeError, match="belongs to a running lab"):
        lock_state(lab.state)


def test_an_ordinary_client_may_send_a_ticket_unquoted(
    lab: ServedLab, root: dict[str, Any]
) -> None:
    headers = {"Cookie": f"other=1; PVEAuthCookie={root['ticket']}"}
    client: Client = lab.client_with(headers)
    client.call("GET", "version").ok()


@pytest.mark.parametrize(
    ("realm", "text"),
    [
        ("nosuch", "authentication domain 'nosuch' does not exist"),
        ("pam", "wrong realm type (pam != openid)"),
    ],
)
def test_openid_is_for_realms_of_its_kind(lab: ServedLab, realm: str, text: str) -> None:
    asked = {"realm": realm, "redirect-url": "https://localhost"}
    answer = lab.client_with({}).call("POST", "access/openid/auth-url", **asked)
    assert (answer.status, answer.reason) == (500, text)
    ended = {"state": "x", "code": "y", "redirect-url": "https://localhost"}
    answer = lab.client_with({}).call("POST", "access/openid/login", **ended)
    assert (answer.status, answer.message) == (401, "authentication failure\n")


def test_a_ticket_of_a_console_can_be_checked(lab: ServedLab) -> None:
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100").ok())
    found = lab.ticket_client().call("POST", "nodes/pve1/qemu/100/vncproxy").ok()
    asked = {
        "authid": "root@pam",
        "vncticket": found["ticket"],
        "path": "/vms/100",
        "privs": "VM.Console",
        "port": found["port"],
    }
    nobody = lab.client_with({})
    assert nobody.call("POST", "access/vncticket", **asked).ok() is None
    for wrong in ({"vncticket": "junk"}, {"path": "/vms/101"}, {"port": "1"}, {"privs": ""}):
        answer = nobody.call("POST", "access/vncticket", **(asked | wrong))
        assert (answer.status, answer.message) == (401, "authentication failure\n"), wrong
