"""Images: which templates there are of each, and which one a guest on a host is cloned from.

On a storage that all hosts share there is one template, on the first declared host; on a host's
own storage there is one on each host, whose VMIDs follow each other in declared order. Draining a
host leaves its templates where they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from event.model import Image, Site, Storage
from plan.hosts import HostSpec
from plan.records import CloneMode, Template, Upload

# Proxmox VE: kinds of storage that every host sees by nature, and kinds that no two hosts can
# see (pve-storage, plugin property `shared`).
ALWAYS_SHARED = frozenset({"nfs", "cifs", "rbd", "cephfs"})
NEVER_SHARED = frozenset({"lvmthin", "zfspool"})


def local_file(upload: Upload, variables: Mapping[str, str]) -> str:
    """Where the file of an upload is on this machine, as the variables say: the path as written,
    or that of an image which `practicum image build` has made."""
    if upload.file is not None:
        return upload.file
    return f"{built_images(variables)}/{upload.build}.qcow2"


def built_images(variables: Mapping[str, str]) -> str:
    """The folder that `practicum image build` puts images in; `~` stands for the user's home."""
    return f"{variables.get('XDG_CACHE_HOME') or '~/.cache'}/practicum/images"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """An image of the site with its templates."""

    name: str
    storage: str
    shared: bool
    disk_gib: int
    clone: CloneMode
    templates: tuple[Template, ...]  # one if shared, else one per host in declared order

    def template_on(self, host: int) -> Template:
        """The template that a guest on the host at this position is cloned from."""
        return self.templates[0] if self.shared else self.templates[host]


def is_shared(storage: Storage) -> bool:
    """Whether every host sees the same content of a storage."""
    return storage.type in ALWAYS_SHARED or (storage.shared and storage.type not in NEVER_SHARED)


def image_specs(site: Site, hosts: Sequence[HostSpec]) -> Mapping[str, ImageSpec]:
    """The images of a site, by name."""
    return {
        name: _image_spec(name, image, site.storages[image.storage], hosts)
        for name, image in sorted(site.images.items())
    }


def _image_spec(name: str, image: Image, storage: Storage, hosts: Sequence[HostSpec]) -> ImageSpec:
    shared = is_shared(storage)
    return ImageSpec(
        name=name,
        storage=image.storage,
        shared=shared,
        disk_gib=image.disk_gib,
        clone=image.clone,
        templates=tuple(
            Template(
                image=name,
                vmid=image.vmid + host.position,
                host=host.name,
                storage=image.storage,
                storage_type=storage.type,
                shared=shared,
            )
            for host in (hosts[:1] if shared else hosts)
        ),
    )
