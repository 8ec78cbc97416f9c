set -u
systemctl list-units --all --plain --no-legend 'practicum-sc09-*@*.socket' | while read -r unit _; do case "  " in *" $unit "*) ;; *) systemctl disable --now "$unit" ;; esac; done
systemctl stop 'practicum-sc09-*@*.service' 2>/dev/null || true
ip link delete vmbr1.101 2>/dev/null || true
ip link delete vmbr1.102 2>/dev/null || true
rm -f /etc/network/interfaces.d/practicum-sc09
ifreload -a || true
systemctl disable --now practicum-sc09.service || true
rm -f /etc/practicum/sc09.nft
rm -f /etc/systemd/system/practicum-sc09.service
rm -f /etc/systemd/system/practicum-sc09-mirror@.socket
rm -f /etc/systemd/system/practicum-sc09-mirror@.service
rmdir --ignore-fail-on-non-empty /etc/practicum 2>/dev/null || true
systemctl daemon-reload
