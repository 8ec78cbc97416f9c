"""Each way in which a site is not ready is one clear message, before anything is written."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from event.stack import EventStack, SiteStack
from operate.api import Api
from operate.endings import ended
from operate.places import Places
from operate.preflight import (
    Findings,
    Known,
    PreflightError,
    check_event,
    check_site,
    look,
    stop_if_blind,
    stop_without_quorum,
)
from operate.stacks import load
from plan.plan import plan_event, plan_site
from tests.operate.stand_in import TOKEN, StandIn


def site(places: Places) -> SiteStack:
    stack = load("site", places)
    assert isinstance(stack, SiteStack)
    return stack


def event(places: Places) -> EventStack:
    stack = load("event", places)
    assert isinstance(stack, EventStack)
    return stack


def client(places: Places, token: str = TOKEN, **options: Any) -> Api:
    endpoint = site(places).site.api.endpoint
    return Api(endpoint, token, **(options or {"insecure": True}))


def unreachable(places: Places, api: Api | None = None) -> str:
    """What is said when looking at the site fails."""
    with pytest.raises(PreflightError) as caught:
        look(api or client(places), site(places), ["pve01"])
    text = str(caught.value)
    assert "Pulumi.site.yaml:4 site.api.endpoint: https://127.0.0.1:" in text
    assert len(text.splitlines()) == 1
    return text


def checked(places: Places, known: Known | None = None) -> Findings:
    """The findings for the event."""
    stack, api = event(places), client(places)
    seen = look(api, stack.site, ["pve01", "pve02"])
    return check_event(stack, stack.site, plan_event(stack), seen, known or Known(), api)


def checked_site(places: Places, known: Known | None = None) -> Findings:
    """The findings for the site's own stack."""
    stack, api = site(places), client(places)
    seen = look(api, stack, ["pve01", "pve02"])
    return check_site(stack, plan_site(stack), seen, known or Known(), api)


def said(findings: Findings) -> str:
    return "\n".join(map(str, findings.problems))


def test_a_site_that_is_ready_has_no_findings_and_is_only_read(
    places: Places, site_api: StandIn
) -> None:
    findings = checked(places)
    assert (findings.problems, findings.site_lacks) == ([], [])
    assert {call.partition(" ")[0] for call in site_api.calls} == {"GET"}
    assert len(site_api.calls) == 8


def test_an_api_where_nobody_answers_is_told(places: Places) -> None:
    text = unreachable(places)
    assert "refuses connections; check name and port; Proxmox VE answers on port 8006" in text


def test_a_lab_that_does_not_run_says_how_to_see_it(places: Places) -> None:
    stack = load("labsite", places)
    assert isinstance(stack, SiteStack)
    with pytest.raises(PreflightError, match=r"type: \./practicum lab status labsite"):
        look(client(places), stack, [])


def test_a_name_that_nobody_has(places: Places) -> None:
    api = Api("https://pve.invalid:8006", TOKEN)
    assert "names a machine that cannot be found" in unreachable(places, api)


def test_a_certificate_that_is_not_trusted_names_both_ways_out(
    places: Places, site_api: StandIn
) -> None:
    text = unreachable(places, client(places, insecure=False))
    assert "has a certificate that is not trusted" in text
    assert "caFile" in text
    assert "insecure: true" in text
    assert site_api.calls == []  # the token was not sent


def test_the_sites_own_authority_is_trusted(places: Places, site_api: StandIn) -> None:
    api = client(places, ca_file=site_api.pem)
    assert look(api, site(places), []).version == "9.0.3"


def test_an_authority_is_checked_even_where_anything_goes(
    places: Places, site_api: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = StandIn(tmp_path / "other", 0)
    api = client(places, insecure=True, ca_file=other.pem)
    assert "has a certificate that is not trusted" in unreachable(places, api)
    other.close()


def test_an_old_tls_is_told_as_such(places: Places, tmp_path: Path, port: int) -> None:
    server = StandIn(tmp_path, port, newest=ssl.TLSVersion.TLSv1_2)
    assert "does not speak TLS 1.3" in unreachable(places)
    server.close()


def test_plain_text_on_the_port_is_told_as_such(places: Places, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        text = unreachable(places)
    assert "does not speak TLS 1.3" in text or "is not the API of Proxmox VE" in text


def test_another_web_server_is_not_taken_for_proxmox(places: Places, site_api: StandIn) -> None:
    site_api.answers["/version"] = b"<html>hello</html>"
    assert "is not the API of Proxmox VE" in unreachable(places)
    site_api.answers["/version"] = {"hello": "world"}
    assert "is not the API of Proxmox VE" in unreachable(places)


def test_a_wrong_token_is_not_shown(places: Places, site_api: StandIn) -> None:
    text = unreachable(places, client(places, token="root@pam!test=guessed"))
    assert "refuses the API token (invalid token value!); check PROXMOX_VE_API_TOKEN" in text
    assert "guessed" not in text


def test_missing_rights_name_the_role(places: Places, site_api: StandIn) -> None:
    site_api.answers["/nodes"] = (403, "Permission check failed (/, Sys.Audit)")
    text = unreachable(places)
    assert "forbids the API token to look (Permission check failed (/, Sys.Audit))" in text
    assert "PVEAuditor" in text


def test_an_error_of_the_cluster_is_passed_on(places: Places, site_api: StandIn) -> None:
    site_api.answers["/nodes"] = (500, "no quorum")
    assert "answers no quorum; see the log of that host" in unreachable(places)


def test_a_cluster_without_quorum_is_told_before_anything_is_tried(
    places: Places, site_api: StandIn
) -> None:
    nodes = [{"type": "node", "name": "pve01", "online": 1}]
    site_api.answers["/cluster/status"] = [{"type": "cluster", "quorate": 0}, *nodes]
    site_api.answers["/nodes"][1]["status"] = "offline"
    seen = look(client(places), site(places), [])
    with pytest.raises(PreflightError) as caught:
        stop_without_quorum(site(places), seen)
    assert "has no quorum (1 of 2 hosts are online), so nothing can be changed" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        [{"type": "cluster", "quorate": 1}],
        [{"type": "node", "name": "pve01", "online": 1}],
        (403, "Permission check failed (/, Sys.Audit)"),
    ],
)
def test_a_host_alone_and_a_token_that_may_not_ask_are_no_lack_of_quorum(
    places: Places, site_api: StandIn, answer: Any
) -> None:
    site_api.answers["/cluster/status"] = answer
    stop_without_quorum(site(places), look(client(places), site(places), []))


def test_an_api_that_goes_away_in_the_middle_ends_with_one_message(
    places: Places, site_api: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    api = client(places)
    api.get("/version")
    site_api.answers["/pools"] = (596, "Connection timed out")
    assert ended(lambda: int(api.get("/pools"))) == 1
    assert capsys.readouterr().err == (
        "the site's API: Connection timed out; look at the site, and type the same again\n"
    )


def test_missing_and_offline_hosts_are_named(places: Places, site_api: StandIn) -> None:
    site_api.answers["/nodes"] = [
        {"node": "pve1", "status": "online"},
        {"node": "pve02", "status": "offline"},
    ]
    text = said(checked(places))
    assert "pve01 is no host of this Proxmox VE cluster; did you mean pve1?" in text
    assert "pve02 is offline; start it, or write drain: true" in text


def test_missing_storages_are_named_with_their_hosts(places: Places, site_api: StandIn) -> None:
    rows = site_api.answers["/cluster/resources"]
    site_api.answers["/cluster/resources"] = [
        row for row in rows if (row.get("storage"), row.get("node")) != ("shared", "pve02")
    ]
    assert "site.storages.shared: shared is not available on pve02" in said(checked(places))


def test_an_empty_list_is_read_as_missing_rights(places: Places, site_api: StandIn) -> None:
    site_api.answers["/cluster/resources"] = []
    text = said(checked(places))
    assert "shows this API token no storage at all" in text
    assert "Datastore.Audit" in text


def test_a_token_that_sees_nothing_stops_what_would_take_everything_for_gone(
    places: Places, site_api: StandIn
) -> None:
    stop_if_blind(site(places), look(client(places), site(places), []))
    site_api.answers["/cluster/resources"] = []
    with pytest.raises(PreflightError, match="shows this API token no storage at all"):
        stop_if_blind(site(places), look(client(places), site(places), []))


def test_a_missing_exposed_bridge_is_somebodys_to_make(places: Places, site_api: StandIn) -> None:
    site_api.answers["/nodes/pve02/network"] = [{"iface": "vmbr1"}, {"iface": "vmbr00"}]
    text = said(checked(places))
    assert "site.network.exposed.bridge: vmbr0 is no bridge of pve02; did you mean vmbr00?" in text


def test_what_the_site_stack_makes_is_told_apart(places: Places, site_api: StandIn) -> None:
    site_api.answers["/nodes/pve02/network"] = [{"iface": "vmbr0"}]
    rows = site_api.answers["/cluster/resources"]
    site_api.answers["/cluster/resources"] = [row for row in rows if "vmid" not in row]
    findings = checked(places)
    assert findings.problems == []
    assert findings.site_lacks == [
        "template 9000 of image debian-12 on pve01",
        "bridge vmbr1 on pve02",
    ]


def test_a_template_number_that_a_guest_has_is_refused(places: Places, site_api: StandIn) -> None:
    row = site_api.answers["/cluster/resources"][-1]
    row |= {"template": 0, "name": "mail", "tags": ""}
    text = said(checked(places))
    assert "site.images.debian-12.vmid: 9000 is the VMID of mail on pve01, which is no" in text


def test_a_machine_that_has_not_become_its_template_is_the_site_stacks_to_finish(
    places: Places, site_api: StandIn
) -> None:
    site_api.answers["/cluster/resources"][-1]["template"] = 0
    findings = checked(places)
    assert findings.problems == []
    assert findings.site_lacks == ["template 9000 of image debian-12 on pve01"]


def occupy(server: StandIn, vmid: int, tags: str = "", description: str = "") -> None:
    server.answers["/cluster/resources"].append(
        {"type": "qemu", "vmid": vmid, "name": "mail", "node": "pve02", "tags": tags}
    )
    server.answers[f"/nodes/pve02/qemu/{vmid}/config"] = {"description": description}


def test_guests_of_others_in_our_numbers_are_refused(places: Places, site_api: StandIn) -> None:
    occupy(site_api, 100101)
    occupy(site_api, 100555, description="not in the plan")
    text = said(checked(places))
    found = "100101 (mail on pve02, a virtual machine without our mark)"
    assert f"event.vmids: holds VMIDs that others use: {found}; write a range" in text
    assert "100555" not in text


@pytest.mark.parametrize(
    ("tags", "description"),
    [("c01;event;practicum", ""), ("", "practicum:event:c01-head A small event")],
)
def test_a_lost_guest_of_ours_is_known_by_tags_or_description(
    places: Places, site_api: StandIn, tags: str, description: str
) -> None:
    occupy(site_api, 100101, tags, description)
    text = said(checked(places))
    assert "holds guests with this stack's mark that its state does not know: 100101" in text
    for known in (Known(state=frozenset({100101})), Known(begun=frozenset({100101}))):
        assert checked(places, known).problems == []


def test_a_guest_of_another_event_is_not_ours(places: Places, site_api: StandIn) -> None:
    occupy(site_api, 100101, "practicum;sc09", "practicum:sc09:c01-head")
    assert "holds VMIDs that others use: 100101" in said(checked(places))


def test_a_missing_image_file_is_told_before_the_template_is_made(
    places: Places, site_api: StandIn
) -> None:
    rows = site_api.answers["/cluster/resources"]
    site_api.answers["/cluster/resources"] = [row for row in rows if "vmid" not in row]
    assert checked_site(places).problems == []
    site_api.answers["/nodes/pve01/storage/shared/content"] = [
        {"volid": "shared:import/debian-13.qcow2"}
    ]
    text = said(checked_site(places))
    assert "shared:import/debian-12.qcow2 is not on pve01; upload it there" in text
    assert "did you mean shared:import/debian-13.qcow2?" in text


def test_a_template_of_ours_without_state_is_not_made_over(
    places: Places, site_api: StandIn
) -> None:
    assert "that its state does not know: 9000 (debian-12 on pve01)" in said(checked_site(places))
    assert checked_site(places, Known(state=frozenset({9000}))).problems == []


def test_all_findings_come_at_once_with_their_lines(places: Places, site_api: StandIn) -> None:
    site_api.answers["/nodes/pve02/network"] = [{"iface": "vmbr1"}]
    occupy(site_api, 100101)
    occupy(site_api, 100111)
    findings = checked(places)
    with pytest.raises(PreflightError) as caught:
        findings.stop_if_any()
    assert [problem.where is not None for problem in caught.value.problems] == [True, True]


def test_a_connection_that_the_api_closed_is_opened_again(
    places: Places, site_api: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = client(places)
    api.get("/version")
    connection = api._connection()
    assert connection.sock is not None
    connection.sock.shutdown(socket.SHUT_RDWR)
    assert api.get("/version")["version"] == "9.0.3"
    assert replace(look(api, site(places), []), version="9").shows_storages
