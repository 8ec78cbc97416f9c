"""Consoles: tickets for one user, one console and a short time."""

from __future__ import annotations

import pytest

from tests.lab.direct import Api, RefusedError


@pytest.fixture
def guest(api: Api) -> Api:
    (api.state / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    api.create(100, name="g", scsi0="pool:1")
    return api


def test_a_screen_has_a_ticket_with_its_password(guest: Api) -> None:
    shown = guest.ask("POST", "q/100/vncproxy", websocket="1")
    assert set(shown) == {"user", "ticket", "password", "cert", "port", "upid"}
    assert shown["ticket"].startswith(f"{shown['password']}:PVEVNC:")
    assert shown["upid"].split(":")[5:7] == ["vncproxy", "100"]
    assert 5900 <= shown["port"] <= 5999


def test_a_serial_terminal_has_no_password(guest: Api) -> None:
    guest.put(100, vga="serial0", serial0="socket")
    assert "password" not in guest.ask("POST", "q/100/vncproxy")
    shown = guest.ask("POST", "q/100/termproxy")
    assert set(shown) == {"user", "ticket", "port", "upid"}


def test_two_consoles_have_two_ports(guest: Api) -> None:
    first, second = (guest.ask("POST", "q/100/termproxy")["port"] for _ in range(2))
    assert first != second


def test_a_viewer_needs_a_running_guest_with_such_a_display(guest: Api) -> None:
    with pytest.raises(RefusedError, match="VM 100 not running"):
        guest.ask("POST", "q/100/spiceproxy")
    guest.start(100)
    with pytest.raises(RefusedError, match="no spice port"):
        guest.ask("POST", "q/100/spiceproxy")
    guest.done("POST", "q/100/status/stop")
    guest.put(100, vga="qxl")
    guest.start(100)
    shown = guest.ask("POST", "q/100/spiceproxy")
    assert (shown["type"], shown["title"]) == ("spice", "VM 100 - g")
    assert shown["proxy"] == "http://pve1:3128"


def test_a_screen_has_no_socket_behind_its_ticket(guest: Api) -> None:
    shown = guest.ask("POST", "q/100/vncproxy")
    params = {"port": str(shown["port"]), "vncticket": shown["ticket"]}
    with pytest.raises(RefusedError) as refused:
        guest.ask("GET", "q/100/vncwebsocket", **params)
    assert refused.value.status == 501


@pytest.mark.parametrize("change", [{"port": "5999"}, {"vncticket": "PVEVNC:00000000::x"}])
def test_a_ticket_is_for_one_console(guest: Api, change: dict[str, str]) -> None:
    shown = guest.ask("POST", "q/100/termproxy")
    params = {"port": str(shown["port"]), "vncticket": shown["ticket"], **change}
    with pytest.raises(RefusedError) as refused:
        guest.ask("GET", "q/100/vncwebsocket", **params)
    assert (refused.value.status, refused.value.message) == (
        401,
        "permission denied - invalid PVEVNC ticket",
    )


def test_no_console_of_a_missing_guest(guest: Api) -> None:
    for path in ("vncproxy", "termproxy", "spiceproxy"):
        with pytest.raises(RefusedError, match=r"qemu-server/999\.conf' does not exist"):
            guest.ask("POST", f"q/999/{path}")
