"""An operating system image at the site: the file where needed, and the templates made from it."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
import pulumi_proxmoxve as proxmoxve

from components.guest import disk, machine
from plan.images import local_file
from plan.records import Download, SiteImage, TemplateCopy, Upload

CREATE_TIMEOUT_S = 1800  # seconds; importing a large image on a slow disk
DOWNLOAD_TIMEOUT_S = 3600  # seconds
UPLOAD_TIMEOUT_S = 3600  # seconds


class Image(pulumi.ComponentResource):
    """A template on each host, or one on a storage that all hosts share."""

    templates: list[proxmoxve.VmLegacy]

    def __init__(
        self, image: SiteImage, *, after: list[pulumi.Resource], opts: pulumi.ResourceOptions
    ) -> None:
        """Register the downloads or uploads, then the templates, once `after` is there."""
        super().__init__("practicum:index:Image", image.name, None, opts)
        own = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        files: list[pulumi.Resource] = [_download(each, own) for each in image.downloads]
        files += [_upload(each, own) for each in image.uploads]
        self.templates = [
            _template(
                copy,
                pulumi.ResourceOptions.merge(
                    own, pulumi.ResourceOptions(depends_on=[*files, *after])
                ),
            )
            for copy in image.templates
        ]
        self.register_outputs({})


def _download(file: Download, opts: pulumi.ResourceOptions) -> proxmoxve.download.File:
    return proxmoxve.download.File(
        f"{file.image}-{file.host}-file",
        proxmoxve.download.FileArgs(
            node_name=file.host,
            datastore_id=file.storage,
            content_type="import",
            url=file.url,
            file_name=file.file_name,
            checksum=file.sha256,
            checksum_algorithm="sha256",
            overwrite=False,
            upload_timeout=DOWNLOAD_TIMEOUT_S,
        ),
        opts=opts,
    )


def _upload(file: Upload, opts: pulumi.ResourceOptions) -> proxmoxve.FileLegacy:
    """A file that the provider sends through the API: content `import` takes no SSH.

    Where the file is on this machine, and whether it was built anew, is of no account once it is
    there: what it is, its checksum says, and the checksum is in its name.
    """
    path = Path(local_file(file, os.environ)).expanduser().absolute()
    return proxmoxve.FileLegacy(
        f"{file.image}-{file.host}-file",
        proxmoxve.FileLegacyArgs(
            node_name=file.host,
            datastore_id=file.storage,
            content_type="import",
            overwrite=False,
            source_file=proxmoxve.FileLegacySourceFileArgs(
                path=str(path), file_name=file.file_name, checksum=file.sha256
            ),
            timeout_upload=UPLOAD_TIMEOUT_S,
        ),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(ignore_changes=["sourceFile.path", "sourceFile.changed"]),
        ),
    )


def _template(copy: TemplateCopy, opts: pulumi.ResourceOptions) -> proxmoxve.VmLegacy:
    template = proxmoxve.VmLegacy(
        f"{copy.name}-{copy.host}",
        proxmoxve.VmLegacyArgs(
            node_name=copy.host,
            vm_id=copy.vmid,
            pool_id=copy.pool,
            name=copy.name,
            description=copy.description,
            tags=list(copy.tags),
            template=True,
            started=False,
            on_boot=False,
            cpu=proxmoxve.VmLegacyCpuArgs(cores=1, sockets=1, type="x86-64-v2-AES"),
            memory=proxmoxve.VmLegacyMemoryArgs(dedicated=512),
            disks=[disk(copy.storage, copy.disk_gib, import_from=copy.volume)],
            timeout_create=CREATE_TIMEOUT_S,
            **machine(),
        ),
        opts=opts,
    )
    _closed(copy, template, opts)
    return template


def _closed(copy: TemplateCopy, template: proxmoxve.VmLegacy, opts: pulumi.ResourceOptions) -> None:
    """Switch the template's firewall on, dropping by default: every clone starts with a copy.

    So an exposed guest is closed from its first moment, and needs one object less. NICs that are
    not exposed have no firewall, so it does not concern them.
    """
    proxmoxve.firewall.OptionsLegacy(
        f"{copy.name}-{copy.host}-firewall",
        proxmoxve.firewall.OptionsLegacyArgs(
            node_name=copy.host,
            vm_id=copy.vmid,
            enabled=True,
            dhcp=True,
            macfilter=True,
            input_policy="DROP",
            output_policy="DROP",
            log_level_out="info",  # what exposed guests were not allowed: `practicum traffic`
        ),
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(depends_on=[template], deleted_with=template)
        ),
    )
