"""The floor: as many VmLegacy as the event has guests, with literal arguments and nothing else.

Each guest asks the provider for the same work as the shipped event's guest of that number: clone,
disk, NICs, cloud-init, the same blocks. There is no reading, no planning, no component, no
firewall and no pool. What practicum takes beyond this is what its design costs.

FLOOR_CLUSTERS and FLOOR_HOSTS give the size (26 on 6 hosts, as stacks/Pulumi.sc09.yaml),
FLOOR_EXPOSED the exposed subnet. The provider is configured by its own variables.
"""

import os
from ipaddress import IPv4Network
from typing import Any

import pulumi_proxmoxve as proxmoxve

CLUSTERS = int(os.environ.get("FLOOR_CLUSTERS", "26"))
HOSTS = int(os.environ.get("FLOOR_HOSTS", "6"))
EXPOSED = IPv4Network(os.environ.get("FLOOR_EXPOSED", "198.51.100.0/24"))
TITLE = "Linux Cluster Construction"
PASSWORD = "floor-0123456789abcdef"
NODES = (("head", 1), ("n1", 11), ("n2", 12), ("n3", 13), ("n4", 14))
MOST_NICS = 31


def address(host: int) -> str:
    """An address of the exposed network with its prefix length."""
    return f"{EXPOSED[host]}/{EXPOSED.prefixlen}"


def nic(
    vmid: int, number: int, vlan: int, *, bridge: str = "vmbr1", trunks: str | None = None
) -> proxmoxve.VmLegacyNetworkDeviceArgs:
    """A NIC; the MAC is 02, the VMID and the NIC's number. The exposed bridge has a firewall."""
    return proxmoxve.VmLegacyNetworkDeviceArgs(
        bridge=bridge,
        vlan_id=vlan,
        mac_address="02:" + (vmid.to_bytes(4, "big") + bytes([number])).hex(":").upper(),
        model="virtio",
        firewall=bridge == "vmbr0",
        disconnected=False,
        trunks=trunks,
    )


def exposed_nic(vmid: int) -> proxmoxve.VmLegacyNetworkDeviceArgs:
    """The NIC of a head or of the instructors' node on the exposed network."""
    return nic(vmid, 0, 90, bridge="vmbr0")


def ip(value: str, gateway: str | None = None) -> proxmoxve.VmLegacyInitializationIpConfigArgs:
    """The address of one NIC."""
    return proxmoxve.VmLegacyInitializationIpConfigArgs(
        ipv4=proxmoxve.VmLegacyInitializationIpConfigIpv4Args(address=value, gateway=gateway)
    )


def machine() -> dict[str, Any]:
    """What is the same in every guest."""
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
        "clone": proxmoxve.VmLegacyCloneArgs(vm_id=9000, node_name="pve01", full=False),
        "disks": [
            proxmoxve.VmLegacyDiskArgs(
                interface="scsi0",
                datastore_id="shared",
                size=8,
                discard="on",
                iothread=True,
                speed=proxmoxve.VmLegacyDiskSpeedArgs(iops_read=1_000_000),
            )
        ],
        "operating_system": proxmoxve.VmLegacyOperatingSystemArgs(type="l26"),
        "scsi_hardware": "virtio-scsi-single",
        "serial_devices": [proxmoxve.VmLegacySerialDeviceArgs(device="socket")],
        "vga": proxmoxve.VmLegacyVgaArgs(type="serial0"),
        "started": True,
        "migrate": True,
        "stop_on_destroy": True,
        "delete_unreferenced_disks_on_destroy": False,
        "timeout_clone": 900,
        "timeout_start_vm": 180,
        "timeout_reboot": 300,
    }


def guest(
    name: str,
    vmid: int,
    host: int,
    size: tuple[int, int],
    nics: list[proxmoxve.VmLegacyNetworkDeviceArgs],
    ips: list[proxmoxve.VmLegacyInitializationIpConfigArgs],
    cluster: str,
) -> None:
    """One guest with (cores, memory in MiB) as its size."""
    proxmoxve.VmLegacy(
        name,
        proxmoxve.VmLegacyArgs(
            node_name=f"pve{host % HOSTS + 1:02d}",
            vm_id=vmid,
            name=name,
            description=f"practicum:sc09:{name} {TITLE}",
            tags=sorted({"practicum", "sc09", cluster}),
            cpu=proxmoxve.VmLegacyCpuArgs(cores=size[0], sockets=1, type="x86-64-v2-AES"),
            memory=proxmoxve.VmLegacyMemoryArgs(dedicated=size[1]),
            network_devices=nics,
            initialization=proxmoxve.VmLegacyInitializationArgs(
                datastore_id="shared",
                interface="ide2",
                ip_configs=ips,
                dns=proxmoxve.VmLegacyInitializationDnsArgs(servers=[str(EXPOSED[2])]),
                user_account=proxmoxve.VmLegacyInitializationUserAccountArgs(
                    username="student", keys=[], password=PASSWORD
                ),
            ),
            **machine(),
        ),
    )


def instructor() -> None:
    """The node with a leg on every cluster network, or a trunk where NICs would not suffice."""
    vmid, gateway = 100_001, str(EXPOSED[1])
    nics, ips = [exposed_nic(vmid)], [ip(address(10), gateway)]
    if CLUSTERS <= MOST_NICS:
        for number in range(1, CLUSTERS + 1):
            nics.append(nic(vmid, number, 100 + number))
            ips.append(ip(f"10.0.{number}.254/24"))
    else:
        trunks = ";".join(str(100 + number) for number in range(1, CLUSTERS + 1))
        nics.append(nic(vmid, 1, 100, trunks=trunks))
    guest("instructor", vmid, HOSTS - 1, (2, 1024), nics, ips, "instructor")


def cluster(number: int) -> None:
    """A head with a leg outside and four compute nodes."""
    name, vlan = f"c{number:02d}", 100 + number
    for place, (node, index) in enumerate(NODES):
        vmid = 100_000 + 100 * number + index
        private = ip(f"10.0.{number}.{index}/24")
        host = (number - 1) * len(NODES) + place
        if node == "head":
            nics = [exposed_nic(vmid), nic(vmid, 1, vlan)]
            ips = [ip(address(10 + number), str(EXPOSED[1])), private]
            guest(f"{name}-{node}", vmid, host, (2, 1024), nics, ips, name)
        else:
            guest(f"{name}-{node}", vmid, host, (1, 512), [nic(vmid, 0, vlan)], [private], name)


instructor()
for each in range(1, CLUSTERS + 1):
    cluster(each)
