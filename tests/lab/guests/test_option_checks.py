"""Single options that do not fit are refused as Proxmox VE refuses them."""

from __future__ import annotations

import pytest

from tests.lab.direct import Api, RefusedError


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("vga", "serial0,clipboard=vnc", "vga type serial0 is not compatible with VNC clipboard"),
        ("machine", "pc,viommu=intel", "to use Intel vIOMMU please set the machine type to q35"),
        (
            "machine",
            "q35,viommu=intel,aw-bits=40",
            "Intel vIOMMU supports only 39 or 48 bits as address width",
        ),
        ("machine", "q35,aw-bits=48", "cannot set aw-bits if no vIOMMU is configured"),
    ],
)
def test_what_no_machine_can_have_is_refused(api: Api, key: str, value: str, text: str) -> None:
    api.create(100)
    with pytest.raises(RefusedError) as refused:
        api.put(100, **{key: value})
    assert refused.value.message == text


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        ("local:iso/x.iso", "'local:iso/x.iso' is not in the snippets directory\n"),
        ("local:snippets/x.pl", "script 'local:snippets/x.pl' does not exist\n"),
    ],
)
def test_a_hook_script_has_to_be_there(api: Api, volume: str, text: str) -> None:
    api.create(100)
    with pytest.raises(RefusedError) as refused:
        api.put(100, hookscript=volume)
    assert refused.value.errors == {"hookscript": text}


def test_the_version_of_a_tpm_state_stays(api: Api) -> None:
    api.create(100, tpmstate0="local:1,version=v2.0")
    volume = api.config(100)["tpmstate0"].partition(",")[0]
    with pytest.raises(RefusedError) as refused:
        api.put(100, tpmstate0=f"{volume},version=v1.2")
    assert refused.value.message == "cannot change TPM state version after creation"


def test_registered_tags_are_for_those_who_may_modify_the_cluster(api: Api) -> None:
    api.ask("PUT", "cluster/options", **{"registered-tags": "kept"})
    api.create(100, tags="kept")
    api.ask("POST", "access/users", userid="u@pve")
    api.ask("PUT", "access/acl", path="/vms", roles="PVEVMAdmin", users="u@pve")
    api.user = "u@pve"
    api.put(100, tags="kept;own")
    for change in ({"tags": "own"}, {"delete": "tags"}):
        with pytest.raises(RefusedError) as refused:
            api.put(100, **change)
        assert refused.value.message == (
            "Permission check failed (/, Sys.Modify for modifying tag 'kept')"
        )


def test_who_may_set_only_listed_tags_sets_no_others(api: Api) -> None:
    access = {"user-tag-access": "user-allow=list,user-allow-list=a;b"}
    api.ask("PUT", "cluster/options", **access)
    api.create(100)
    api.ask("POST", "access/users", userid="u@pve")
    api.ask("PUT", "access/acl", path="/vms", roles="PVEVMAdmin", users="u@pve")
    api.user = "u@pve"
    api.put(100, tags="a;b")
    with pytest.raises(RefusedError):
        api.put(100, tags="a;b;c")
