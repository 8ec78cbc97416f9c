"""The files that make a Debian tree a guest: boot, console, network, first boot by cloud-init."""

from __future__ import annotations

from .recipes import Recipe

KERNEL_ARGUMENTS = "net.ifnames=0 biosdevname=0 console=tty0 console=ttyS0,115200"

# Names that stay right when a newer kernel is installed: Debian keeps these links.
_KERNEL, _INITRD = "/vmlinuz", "/initrd.img"

# Of cloud-init's modules only those whose work a guest of an event needs. Without
# `package-update-upgrade-install` a first boot never fetches packages, whatever `ciupgrade` says:
# clusters of one event stay alike, and isolated ones do not wait for a mirror.
_CLOUD_INIT = """\
# Written when the image was built.
datasource_list: [NoCloud, ConfigDrive, None]
ssh_genkeytypes: [ed25519]
no_ssh_fingerprints: true
disable_root: false
cloud_init_modules:
  - seed_random
  - bootcmd
  - write-files
  - growpart
  - resizefs
  - set_hostname
  - update_hostname
  - update_etc_hosts
  - users-groups
  - ssh
cloud_config_modules:
  - locale
  - set-passwords
  - ntp
  - timezone
  - runcmd
cloud_final_modules:
  - write-files-deferred
  - scripts-per-once
  - scripts-per-boot
  - scripts-per-instance
  - scripts-user
  - final-message
system_info:
  network:
    renderers: [networkd]
"""


def boot_menu(recipe: Recipe) -> str:
    """grub.cfg: one entry at once, on screen and serial line."""
    return f"""\
# One entry that stays right over kernel updates: Debian keeps the links {_KERNEL}, {_INITRD}.
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
menuentry 'Debian' {{
    search --no-floppy --fs-uuid --set=root {recipe.root_id}
    linux {_KERNEL} root=UUID={recipe.root_id} ro {KERNEL_ARGUMENTS}
    initrd {_INITRD}
}}
"""


def boot_prefix(recipe: Recipe) -> str:
    """What the boot loader does first, embedded in it: find the root file system's menu."""
    return (
        f"search --no-floppy --fs-uuid --set=root {recipe.root_id}\n"
        "set prefix=($root)/boot/grub\n"
        "configfile $prefix/grub.cfg\n"
    )


def files(recipe: Recipe, sources: list[str]) -> dict[str, str]:
    """Content by path of every file that the build writes; each ends in a newline."""
    return {
        "etc/fstab": f"UUID={recipe.root_id} / ext4 errors=remount-ro 0 1\n",
        "etc/hostname": "localhost\n",
        "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
        "etc/default/locale": "LANG=C.UTF-8\n",
        "etc/apt/sources.list": "".join(f"{line}\n" for line in sources),
        "etc/kernel-img.conf": "do_symlinks = yes\n",
        "etc/cloud/cloud.cfg.d/90_practicum.cfg": _CLOUD_INIT,
        "etc/cloud/ds-identify.cfg": "policy: search,found=all,maybe=all,notfound=enabled\n",
        "boot/grub/grub.cfg": boot_menu(recipe),
    }
