"""What an organiser may write about a site, and about the lab that stands in for one.

Each field carries its unit, default and meaning, because the JSON Schemas in `stacks/` and the
reference page `docs/stack-file.md` are generated from here. Nothing is derived in this module.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from event.base_model import Model
from event.services_model import Service, Ssh
from event.text import (
    Email,
    Endpoint,
    EventName,
    FilePath,
    HostPattern,
    ImageName,
    InterfaceName,
    Name,
    Schedule,
    StorageId,
    Text,
    UserId,
    VolumeId,
)
from event.values import Address, Cidr, Sha256, Vlan, VlanRange, Vmid, VmidRange, WebUrl


class Api(Model):
    """Where the Proxmox VE API of the site answers, and how it is trusted."""

    endpoint: Endpoint = Field(
        description="Address of the API, e.g. https://pve01.example.org:8006."
    )
    insecure: bool = Field(
        default=False,
        description="Accept any certificate. Right for a lab on loopback, wrong for a real site.",
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="PEM file with the certificate authority that signed the API's certificate.",
    )
    token_file: FilePath | None = Field(
        default=None,
        description=(
            "File that holds the API token, user@realm!name=secret. Without it the token comes "
            "from the secret `practicum:apiToken` or the variable PROXMOX_VE_API_TOKEN."
        ),
    )


class Host(Model):
    """A container host (a Proxmox VE node), or a numbered row of alike ones."""

    name: HostPattern = Field(
        description="Name of the host in Proxmox VE, or a row of names such as pve[01-06]."
    )
    cores: int = Field(ge=1, le=8192, description="Logical CPUs of one host.")
    memory_gib: float = Field(gt=0, le=65536, description="Memory of one host, in GiB.")
    disk_gib: float = Field(
        gt=0,
        le=10_000_000,
        description="Space for guests' disks on one host's own storage, in GiB.",
    )
    share: int = Field(
        default=1,
        ge=0,
        le=100,
        description="Turns this host takes in the round robin; 0 takes pinned guests only.",
    )
    drain: bool = Field(
        default=False, description="Keep the host declared, and move its guests elsewhere."
    )
    ports: list[InterfaceName] = Field(
        default=[], max_length=16, description="Network ports of the clusters' bridge, e.g. eno2."
    )


class Storage(Model):
    """A storage that the site has; practicum uses it and never makes or removes it."""

    type: Literal["dir", "nfs", "cifs", "lvmthin", "zfspool", "rbd", "btrfs", "cephfs"] = Field(
        description="Kind of storage, as Proxmox VE names it."
    )
    shared: bool = Field(default=False, description="Whether every host sees the same content.")
    size_gib: float | None = Field(
        default=None,
        gt=0,
        description=(
            "Capacity of a shared storage in GiB; a host's own storage has the host's diskGib."
        ),
    )
    content: list[Literal["images", "import", "iso", "vztmpl", "backup", "snippets", "rootdir"]] = (
        Field(default=["images"], description="What the storage may hold.")
    )


class Image(Model):
    """An operating system image, kept at the site as a template that guests are cloned from."""

    vmid: Vmid = Field(
        description="VMID of the template; with per-host templates, of the first host's."
    )
    volume: VolumeId | None = Field(
        default=None,
        description=(
            "Volume of content `import` that holds the image, e.g. shared:import/debian-12.qcow2."
        ),
    )
    url: WebUrl | None = Field(
        default=None, description="Where each storage fetches the image from, instead of `volume`."
    )
    file: FilePath | None = Field(
        default=None,
        description="Image file on this machine, qcow2, raw or vmdk, that is uploaded through the "
        "API, instead of `volume`.",
    )
    build: ImageName | None = Field(
        default=None,
        description="Image that `practicum image build` has made here, with its flavour, e.g. "
        "debian-12-plain: uploaded as `file` is.",
    )
    sha256: Sha256 | None = Field(
        default=None, description="Checksum of the file behind `url`, `file` or `build`."
    )
    import_storage: StorageId | None = Field(
        default=None, description="Storage of content `import` that receives that file."
    )
    storage: StorageId = Field(
        description="Storage of the template's disk, and so of the guests' disks cloned from it."
    )
    disk_gib: int = Field(ge=1, le=65536, description="Size of the template's disk, in GiB.")
    clone: Literal["linked", "full"] = Field(
        default="linked",
        description="How guests are cloned: linked (quick, thin) or full (a disk of their own).",
    )


class ExposedNetwork(Model):
    """The network with external access that head nodes are on."""

    bridge: InterfaceName = Field(
        default="vmbr0", description="Bridge of every host that reaches it."
    )
    vlan: Vlan | None = Field(default=None, description="VLAN tag, or none for untagged.")
    subnet: Cidr | None = Field(
        default=None, description="Subnet, e.g. 198.51.100.0/24; none if only DHCP is used."
    )
    gateway: Address | None = Field(default=None, description="Default gateway in that subnet.")


class SiteNetwork(Model):
    """How the site's hosts are wired."""

    bridge: InterfaceName = Field(
        default="vmbr1",
        description="VLAN-aware bridge that practicum makes on every host for the clusters' VLANs.",
    )
    vlans: VlanRange = Field(
        default="100-999",
        validate_default=True,
        description="VLANs that events may use, e.g. 100-999.",
    )
    exposed: ExposedNetwork = Field(
        default=ExposedNetwork(), description="The network with external access."
    )
    dns: list[Address] = Field(
        default=[], max_length=3, description="Name servers that guests are given."
    )


class SiteUser(Model):
    """A person who may use Proxmox VE at the site (realm `pve`)."""

    name: UserId = Field(description="Login in the realm pve, without @pve.")
    full_name: Text | None = Field(default=None, description="Name as shown in Proxmox VE.")
    email: Email | None = Field(default=None, description="Mail address.")
    role: Literal["Administrator", "PVEAdmin", "PVEAuditor", "PVEVMAdmin", "PVEVMUser"] = Field(
        default="PVEAuditor", description="Built-in role of the user on the whole site."
    )


class BackupJob(Model):
    """A regular backup of the site's guests."""

    schedule: Schedule = Field(
        description="Calendar event as Proxmox VE writes it, e.g. sun 01:00."
    )
    storage: StorageId = Field(description="Storage of content `backup` that receives the backups.")
    keep: int = Field(default=2, ge=1, le=1000, description="Backups of each guest to keep.")
    mode: Literal["snapshot", "suspend", "stop"] = Field(
        default="snapshot", description="How a running guest is caught."
    )


class Overcommit(Model):
    """How much more than a host has may be promised to its guests."""

    cores: float = Field(default=1.0, ge=0.1, le=64, description="Guest cores per host core.")
    memory: float = Field(default=1.0, ge=0.1, le=8, description="Guest memory per host memory.")
    disk: float = Field(
        default=1.0, ge=0.1, le=64, description="Guest disk per host disk (thin storages)."
    )


class Site(Model):
    """A site: the machines, storages, images and ranges that events run on."""

    title: Text = Field(default="", description="Name of the site for people.")
    api: Api = Field(description="The site's Proxmox VE API.")
    hosts: list[Host] = Field(
        min_length=1, max_length=512, description="Container hosts; their order is their identity."
    )
    storages: dict[StorageId, Storage] = Field(
        min_length=1, max_length=64, description="Storages of the site, by their id."
    )
    images: dict[ImageName, Image] = Field(
        default={}, max_length=64, description="Images of the site, by their name."
    )
    network: SiteNetwork = Field(default=SiteNetwork(), description="Bridges, VLANs, addresses.")
    vmids: VmidRange = Field(
        default="100000-999999",
        validate_default=True,
        description="VMIDs that events may use; templates have their own numbers.",
    )
    overcommit: Overcommit = Field(default=Overcommit(), description="Promises beyond capacity.")
    users: list[SiteUser] = Field(default=[], max_length=1000, description="People with a login.")
    backups: dict[Name, BackupJob] = Field(
        default={}, max_length=16, description="Regular backups, by name."
    )
    services: dict[Name, Service] = Field(
        default={}, max_length=16, description="Services that every private network sees, by name."
    )
    ssh: Ssh | None = Field(
        default=None, description="SSH to the hosts, for services and `practicum disk`."
    )
    events: list[EventName] = Field(
        default=[],
        max_length=64,
        description="Events that the site gives a pool and a narrow API token (docs/rights.md).",
    )


class LabVolume(Model):
    """A volume that the lab's storages hold from the start."""

    volume: VolumeId = Field(description="Volume id, e.g. shared:import/debian-12.qcow2.")
    size_gib: float = Field(gt=0, le=65536, description="Size in GiB.")


class Lab(Model):
    """Settings of the lab that stands in for this site; a real site has no such key."""

    engine: Literal["auto", "none", "lxc", "qemu"] = Field(
        default="auto",
        description="What guests are: none = API objects without a running system; lxc = "
        "containers on the image of `practicum image build` (as root, or up to level ssh as a "
        "user); qemu = machines on it, "
        "by KVM or else by software emulation, for exercises that need a kernel of their own; "
        "auto = lxc where that can be, else none with the reason. A lab with guests keeps its "
        "engine.",
    )
    mirror: Literal["apt-cacher-ng"] | None = Field(
        default=None,
        description="What the lab itself runs behind the site's service `mirror`, for guests that "
        "really run: a cache of the packages that this machine's apt gets.",
    )
    volumes: list[LabVolume] = Field(
        default=[], max_length=256, description="Volumes that exist before practicum does anything."
    )
    realistic: bool = Field(
        default=False,
        description="Proxmox VE's real limits: 3 workers a host, 10 s for a lock, clones that take "
        "time.",
    )
    clone_seconds: float | None = Field(
        default=None,
        ge=0,
        le=600,
        description="Seconds that a clone holds its storage's lock for each disk; realistic: 0.8, "
        "else 0.",
    )
