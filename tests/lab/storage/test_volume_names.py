"""Names of volumes and sizes: what they say, and how they are written."""

from __future__ import annotations

import pytest

from lab.errors import ApiError
from lab.storage import names
from lab.storage.names import VolumeName
from lab.storage.sizes import format_size, gibibytes_to_bytes, parse_size


@pytest.mark.parametrize(
    ("kind", "name", "wanted"),
    [
        (
            "dir",
            "100/vm-100-disk-0.qcow2",
            VolumeName(content="images", name="vm-100-disk-0.qcow2", format="qcow2", vmid=100),
        ),
        (
            "nfs",
            "900/base-900-disk-0.raw/100/vm-100-disk-1.qcow2",
            VolumeName(
                content="images",
                name="vm-100-disk-1.qcow2",
                format="qcow2",
                vmid=100,
                base="900/base-900-disk-0.raw",
            ),
        ),
        ("dir", "iso/a.iso", VolumeName(content="iso", name="a.iso", format="raw")),
        ("dir", "import/a.raw", VolumeName(content="import", name="a.raw", format="raw")),
        ("dir", "vztmpl/a.tar.gz", VolumeName(content="vztmpl", name="a.tar.gz", format="raw")),
        ("dir", "snippets/a.yaml", VolumeName(content="snippets", name="a.yaml", format="raw")),
        (
            "dir",
            "backup/vzdump-qemu-100-x.vma.zst",
            VolumeName(content="backup", name="vzdump-qemu-100-x.vma.zst", format="raw", vmid=100),
        ),
        (
            "lvmthin",
            "base-900-disk-0",
            VolumeName(
                content="images", name="base-900-disk-0", format="raw", vmid=900, is_base=True
            ),
        ),
        (
            "zfspool",
            "base-900-disk-0/vm-100-disk-0",
            VolumeName(
                content="images",
                name="vm-100-disk-0",
                format="raw",
                vmid=100,
                base="base-900-disk-0",
            ),
        ),
    ],
)
def test_a_name_says_what_a_volume_is(kind: str, name: str, wanted: VolumeName) -> None:
    assert names.parse_name(kind, name) == wanted


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("dir", "x", "unable to parse directory volume name 'x'"),
        ("dir", "../etc/passwd", "unable to parse directory volume name '../etc/passwd'"),
        ("dir", "iso/../x.iso", "unable to parse directory volume name 'iso/../x.iso'"),
        ("dir", "100/vm-100-disk-0.zip", "unable to parse volume filename 'vm-100-disk-0.zip'"),
        ("lvmthin", "100/vm-100-disk-0", "unable to parse lvm volume name '100/vm-100-disk-0'"),
    ],
)
def test_a_name_that_fits_no_storage_is_refused(kind: str, name: str, text: str) -> None:
    with pytest.raises(ApiError) as refused:
        names.parse_name(kind, name)
    assert refused.value.message == text


@pytest.mark.parametrize("text", ["1bad:1", "a:1", "local", "local:", ":1"])
def test_what_is_no_volume_id_is_refused(text: str) -> None:
    assert names.split_volume_id(text) is None


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0T"),
        (1000, "1000"),
        (540672, "528K"),
        (67108864, "64M"),
        (1 << 30, "1G"),
        (1 << 40, "1T"),
        (1536 << 20, "1536M"),
    ],
)
def test_a_size_has_the_shortest_exact_text(size: int, text: str) -> None:
    assert format_size(size) == text
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "size"), [("1.5M", 1572864), ("134217728", 134217728), ("x", None), ("-1G", None)]
)
def test_sizes_are_read_with_fractions_and_without_signs(text: str, size: int | None) -> None:
    assert parse_size(text) == size


def test_fractions_of_a_gibibyte_round_up_to_kibibytes() -> None:
    assert gibibytes_to_bytes("0.004") == 4195 * 1024
    assert gibibytes_to_bytes("8") == 8 << 30
