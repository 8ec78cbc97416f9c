"""One guest on one host, cloned from a template and given its identity by cloud-init.

The only module that names the VM resource class. A guest is one resource, not a component with a
child: a fleet has hundreds, and each registration costs the program about ten milliseconds.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_proxmoxve as proxmoxve

from plan.records import Guest as PlannedGuest
from plan.records import Interface

# Seconds. A clone waits for the storage's lock behind the rest of the fleet; see docs/decisions.
CLONE_TIMEOUT_S = 900
START_TIMEOUT_S = 180
RESTART_TIMEOUT_S = 300


class Guest(proxmoxve.VmLegacy):
    """The virtual machine of a planned guest; its address and VMID are the plan's."""

    planned: PlannedGuest

    def __init__(
        self,
        guest: PlannedGuest,
        *,
        pool: str,
        password: pulumi.Input[str] | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Register the guest; `password` is the secret that cloud-init sets for its login."""
        super().__init__(
            guest.name,
            proxmoxve.VmLegacyArgs(
                node_name=guest.host,
                vm_id=guest.vmid,
                name=guest.name,
                description=guest.description,
                tags=list(guest.tags),
                pool_id=pool,
                clone=_clone(guest),
                cpu=proxmoxve.VmLegacyCpuArgs(cores=guest.cores, sockets=1, type="x86-64-v2-AES"),
                memory=proxmoxve.VmLegacyMemoryArgs(dedicated=guest.memory_mib),
                disks=[disk(guest.template.storage, guest.disk_gib)],
                network_devices=[_network_device(nic) for nic in guest.interfaces],
                initialization=_initialization(guest, password),
                started=guest.start,
                migrate=True,
                stop_on_destroy=True,
                timeout_clone=CLONE_TIMEOUT_S,
                timeout_start_vm=START_TIMEOUT_S,
                timeout_reboot=RESTART_TIMEOUT_S,
                **machine(),
            ),
            # The template's host says where the clone was made, not what the guest is.
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    delete_before_replace=True, ignore_changes=["clone.nodeName"]
                ),
                opts,
            ),
        )
        self.planned = guest


def machine() -> dict[str, Any]:
    """Arguments that every VM of ours has, guests and templates alike.

    All blocks are spelled out: the provider feeds its list defaults in as real inputs otherwise
    (a local-lvm disk, an IDE CD drive in the boot order).
    """
    return {
        "agent": proxmoxve.VmLegacyAgentArgs(
            enabled=True,
            timeout="15m",
            trim=False,
            type="virtio",
            wait_for_ip=proxmoxve.VmLegacyAgentWaitForIpArgs(disabled=True),
        ),
        "boot_orders": ["scsi0"],
        "cdrom": proxmoxve.VmLegacyCdromArgs(file_id="none", interface="ide3"),
        # A disk on a storage that only bears the VMID, from a guest before ours, is somebody's.
        "delete_unreferenced_disks_on_destroy": False,
        "operating_system": proxmoxve.VmLegacyOperatingSystemArgs(type="l26"),
        "scsi_hardware": "virtio-scsi-single",
        "serial_devices": [proxmoxve.VmLegacySerialDeviceArgs(device="socket")],
        "vga": proxmoxve.VmLegacyVgaArgs(type="serial0"),
    }


def disk(
    storage: str, size_gib: int, *, import_from: str | None = None
) -> proxmoxve.VmLegacyDiskArgs:
    """The system disk, scsi0, of `size_gib` GiB on a storage; `import_from` is a volume id.

    One speed limit is written, far above any disk: without it the provider sees a difference at
    every run and restarts the fleet (pulumi-proxmoxve issue 664).
    """
    return proxmoxve.VmLegacyDiskArgs(
        interface="scsi0",
        datastore_id=storage,
        size=size_gib,
        import_from=import_from,
        discard="on",
        iothread=True,
        speed=proxmoxve.VmLegacyDiskSpeedArgs(iops_read=1_000_000),
    )


def _clone(guest: PlannedGuest) -> proxmoxve.VmLegacyCloneArgs:
    full = guest.clone == "full"
    return proxmoxve.VmLegacyCloneArgs(
        vm_id=guest.template.vmid,
        node_name=guest.template.host,
        full=full,
        datastore_id=guest.template.storage if full else None,
    )


def _network_device(nic: Interface) -> proxmoxve.VmLegacyNetworkDeviceArgs:
    return proxmoxve.VmLegacyNetworkDeviceArgs(
        bridge=nic.bridge,
        vlan_id=nic.vlan,
        mac_address=nic.mac,
        model="virtio",
        firewall=nic.firewall,
        disconnected=not nic.connected,
        trunks=";".join(str(vlan) for vlan in nic.trunks) or None,
    )


def _initialization(
    guest: PlannedGuest, password: pulumi.Input[str] | None
) -> proxmoxve.VmLegacyInitializationArgs:
    return proxmoxve.VmLegacyInitializationArgs(
        datastore_id=guest.template.storage,
        interface="ide2",
        ip_configs=[_ip_config(nic) for nic in guest.interfaces if nic.dhcp or nic.address],
        dns=(
            proxmoxve.VmLegacyInitializationDnsArgs(servers=[str(server) for server in guest.dns])
            if guest.dns
            else None
        ),
        user_account=proxmoxve.VmLegacyInitializationUserAccountArgs(
            username=guest.login.user, keys=list(guest.login.ssh_keys), password=password
        ),
    )


def _ip_config(nic: Interface) -> proxmoxve.VmLegacyInitializationIpConfigArgs:
    return proxmoxve.VmLegacyInitializationIpConfigArgs(
        ipv4=proxmoxve.VmLegacyInitializationIpConfigIpv4Args(
            address="dhcp" if nic.dhcp else str(nic.address),
            gateway=str(nic.gateway) if nic.gateway else None,
        )
    )
