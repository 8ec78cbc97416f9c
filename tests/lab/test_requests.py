"""What a request's path, form and credentials mean, to the letter."""

from __future__ import annotations

import re
import urllib.parse

import pytest

from tests.lab.served import FORM, Answer, ServedLab

UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
JSON = "application/json"


def refused(answer: Answer) -> str:
    """A refusal of the front, without where in the code it was."""
    assert answer.status == 500
    return re.sub(r" at /\S+ line \d+\.$", "", answer.reason)


@pytest.mark.parametrize(
    ("body", "comment"),
    [
        ("poolid=a&comment=x=y", "x"),
        ("poolid=a&comment=x%3Dy", "x=y"),
        ("comment=first&comment&poolid=a&comment=last", "last"),
        ("poolid=a&comment", None),
        ("poolid=a&comment=c&_dc=123456", "c"),
        ("poolid=a&comment=c&;&", "c"),
    ],
)
def test_a_form_is_taken_apart_at_each_sign(lab: ServedLab, body: str, comment: str | None) -> None:
    lab.client.send("POST", "pools", body, {"Content-Type": FORM}).ok()
    assert lab.get("pools/a").get("comment") == comment


def test_a_pair_without_a_name_is_a_parameter_that_nobody_knows(lab: ServedLab) -> None:
    assert lab.call("GET", "version?&").ok()
    assert lab.call("GET", "version?&foo=1").errors == {"_root": UNKNOWN, "foo": UNKNOWN}
    assert lab.call("GET", "version?foo").errors == {"foo": UNKNOWN}


def test_the_query_of_a_url_wins_over_the_body(lab: ServedLab) -> None:
    lab.client.send("POST", "pools?poolid=a", "poolid=b&comment=c", {"Content-Type": FORM}).ok()
    assert lab.get("pools") == [{"poolid": "a", "comment": "c"}]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("nosuch/", "/nosuch/"),
        ("/nosuch", "//nosuch"),
        ("pools//a/b/", "/pools//a/b/"),
        ("pools/a%2Fb", "/pools/a/b"),
    ],
)
def test_a_path_that_is_not_there_is_shown_as_it_was_asked_for(
    lab: ServedLab, path: str, shown: str
) -> None:
    answer = lab.call("GET", path)
    assert (answer.status, answer.reason) == (501, f"Method 'GET {shown}' not implemented")


def test_of_contradictions_to_the_path_the_first_by_name_is_told(lab: ServedLab) -> None:
    answer = lab.call("PUT", "nodes/pve1/qemu/100/config", vmid="101", node="pve2")
    assert list(answer.errors) == ["node"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "malformed JSON string, neither tag, array, object, number, string or atom, "
             'at character offset 0 (before "(end of string)")'),
        ("poolid=c61&comment=xxxxxxxx",
         "malformed JSON string, neither tag, array, object, number, string or atom, "
         'at character offset 0 (before "poolid=c61&comment=x...")'),
        ('{"a":1,}', "'\"' expected, at character offset 7 (before \"}\")"),
        ("{'a':1}", "'\"' expected, at character offset 1 (before \"'a':1}\")"),
        ('{"a" 1}', "':' expected, at character offset 5 (before \"1}\")"),
        ('{"a":1 "b":2}', ", or } expected while parsing object/hash, at character offset 7 "
                          '(before ""b":2}")'),
        ("[1 2]", ", or ] expected while parsing array, at character offset 3 (before \"2]\")"),
        ('{"a":1} x', 'garbage after JSON object, at character offset 8 (before "x")'),
        ('{"a":"x', "unexpected end of string while parsing JSON string, "
                    'at character offset 7 (before "(end of string)")'),
        ('{"a":"x\ny"}', "invalid character encountered while parsing JSON string, "
                         'at character offset 7 (before "\\ny"}")'),
        ('{"a":"\\x"}', "illegal backslash escape sequence in string, "
                        'at character offset 6 (before "\\\\x"}")'),
        ('{"a":01}', "malformed number (leading zero must not be followed by another digit), "
                     'at character offset 6 (before "1}")'),
        ('{"a":-}', "malformed number (no digits after initial minus), "
                    'at character offset 6 (before "}")'),
        ('{"a":tru}', "'true' expected, at character offset 5 (before \"tru}\")"),
        ('{"a":NaN}', "malformed JSON string, neither tag, array, object, number, string or "
                      'atom, at character offset 5 (before "NaN}")'),
        ("[]", "Not a HASH reference"),
        ("true", "Not a HASH reference"),
        ("5", 'Can\'t use string ("5") as a HASH ref while "strict refs" in use'),
    ],
)  # fmt: skip
def test_a_body_that_is_no_object_of_json_is_refused_with_what_is_wrong(
    lab: ServedLab, body: str, text: str
) -> None:
    assert refused(lab.client.send("POST", "pools", body, {"Content-Type": JSON})) == text


def test_a_body_of_null_has_no_parameters(lab: ServedLab) -> None:
    answer = lab.client.send("POST", "pools", "null", {"Content-Type": JSON})
    assert answer.errors == {"poolid": "property is missing and it is not optional"}


def test_values_of_json_are_texts_from_then_on(lab: ServedLab) -> None:
    body, kind = '{"privsep":false,"expire":2000000000.0}', {"Content-Type": JSON}
    made = lab.client.send("POST", "access/users/root@pam/token/t1", body, kind).ok()
    assert made["info"] == {"privsep": "0", "expire": "2000000000"}
    lab.call("POST", "access/groups", groupid="5").ok()
    lab.client.send("PUT", "access/groups/5", '{"groupid":5,"comment":1.50}', kind).ok()
    assert lab.get("access/groups/5")["comment"] == "1.5"


def test_a_content_type_that_is_not_read_is_shown_whole(lab: ServedLab) -> None:
    for kind in ("text/xml; charset=utf-8", "multipart/form-data; boundary=X", "Application/JSON"):
        answer = lab.client.send("POST", "pools", "x", {"Content-Type": kind})
        assert (answer.status, answer.reason) == (
            506,
            f"upload 'Content-Type '{kind}' not implemented",
        )


def test_credentials_are_asked_for_before_a_body_is_read(lab: ServedLab) -> None:
    nobody = lab.client_with({})
    for method in ("DELETE", "POST"):
        answer = nobody.send(method, "pools", "<x/>", {"Content-Type": "text/xml"})
        assert (answer.status, answer.reason) == (401, "No ticket")
        nobody.close()


@pytest.mark.parametrize(
    "header", [{"Cookie": "PVEAuthCookie="}, {"Authorization": "PVEAPIToken="}, {"Cookie": "a=b"}]
)
def test_empty_credentials_are_none(lab: ServedLab, header: dict[str, str]) -> None:
    answer = lab.client_with(header).call("GET", "version")
    assert (answer.status, answer.reason) == (401, "No ticket")


def test_a_ticket_counts_more_than_a_token_beside_it(lab: ServedLab) -> None:
    token = lab.client.headers
    answer = lab.client_with(token | {"Cookie": "PVEAuthCookie=junk"}).call("GET", "version")
    assert (answer.status, answer.reason) == (401, "Authentication failed!")
    ticket = urllib.parse.unquote(lab.ticket_client().headers["Cookie"].partition("=")[2])
    lab.client_with({"Authorization": f"PVEAuthCookie={ticket}"}).call("GET", "version").ok()


def test_tokens_get_no_tickets(lab: ServedLab) -> None:
    answer = lab.call("POST", "access/ticket", username="root@pam", password="x")
    assert (answer.status, answer.message) == (
        403,
        "Permission check failed (URI '/access/ticket' not available with API token, need proper "
        "ticket.\n)\n",
    )


@pytest.mark.parametrize("path", ["access/domains", "access/ticket"])
def test_what_is_open_to_all_is_so_under_its_exact_path_only(lab: ServedLab, path: str) -> None:
    nobody = lab.client_with({})
    nobody.call("GET", path).ok()
    assert nobody.call("GET", f"{path}/").reason == "No ticket"


def _sent(lab: ServedLab, headers: dict[str, str]) -> Answer:
    body = (
        '--X\r\nContent-Disposition: form-data; name="content"\r\n\r\niso\r\n'
        '--X\r\nContent-Disposition: form-data; name="filename"; filename="a.iso"\r\n\r\n'
        "aaaa\r\n--X--\r\n"
    )
    client = lab.client_with(headers)
    kind = {"Content-Type": "multipart/form-data; boundary=X"}
    answer = client.send("POST", "nodes/pve1/storage/local/upload", body, kind)
    client.close()
    return answer


def test_an_upload_takes_no_csrf_token_but_the_right_before_it_is_read(lab: ServedLab) -> None:
    root = lab.ticket_client().headers
    assert _sent(lab, {"Cookie": root["Cookie"]}).status == 200
    lab.call("POST", "access/users", userid="u@pve").ok()
    poor = _sent(lab, lab.token_client("u@pve", "t1", privsep="0").headers)
    assert (poor.status, poor.reason, poor.body) == (
        403,
        "Permission check failed (/storage/local, Datastore.AllocateTemplate)",
        b"",
    )


@pytest.mark.parametrize(
    "path",
    [
        "nosuch/firewall",
        "nosuch/certificates",
        "nosuch/qemu/100/firewall",
        "nosuch/qemu/100/firewall/rules",
        "nosuch/lxc/100/firewall/ipset",
    ],
)
def test_some_calls_are_answered_for_any_host(lab: ServedLab, path: str) -> None:
    lab.get(f"nodes/{path}")
    wrong = f"nodes/{path}".replace("nosuch", "no_such")
    assert lab.call("GET", wrong).errors == {
        "node": "invalid format - value does not look like a valid node name\n"
    }


def test_folders_list_what_the_real_ones_do(lab: ServedLab) -> None:
    lab.finish(lab.call("POST", "nodes/pve1/qemu", vmid="100").ok())
    assert {"subdir": "cloudinit"} in lab.get("nodes/pve1/qemu/100")
    assert {"name": "log"} not in lab.get("nodes/pve1/qemu/100/firewall")
    assert lab.get("nodes/nosuch/hardware") == [{"type": "pci"}, {"type": "usb"}]
    assert {"id": "versions"} in lab.get("nodes/pve1/apt")
    assert lab.get("access/openid") == [{"subdir": "auth-url"}, {"subdir": "login"}]


def test_a_parameter_without_a_value_still_requires_its_companion(lab: ServedLab) -> None:
    answer = lab.call("GET", "pools?type")
    assert answer.errors == {"poolid": "missing property required by 'type'"}


def test_one_folder_takes_any_parameter(lab: ServedLab) -> None:
    lab.get("cluster/firewall", foo="1")


@pytest.mark.parametrize("path", ["cluster/ceph/status", "nodes/pve2/ceph/osd"])
def test_no_host_has_ceph(lab: ServedLab, path: str) -> None:
    answer = lab.call("GET", path)
    assert (answer.status, answer.reason) == (500, "binary not installed: /usr/bin/ceph-mon")


def test_a_body_in_chunks_is_not_read(lab: ServedLab) -> None:
    client = lab.client_with({**lab.client.headers, "Transfer-Encoding": "chunked"})
    answer = client.send("POST", "pools", b"4\r\na=bc\r\n0\r\n\r\n", {"Content-Type": FORM})
    assert (answer.status, answer.reason) == (501, "chunked transfer encoding not supported")
