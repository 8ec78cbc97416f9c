set -eu
install -d -m 755 /etc/practicum
cat > /etc/practicum/sc09.nft <<'PRACTICUM_END'
add table bridge practicum_sc09
delete table bridge practicum_sc09
table bridge practicum_sc09 {
	chain arriving {
		type filter hook prerouting priority -310; policy accept;
		arp saddr ip { 10.255.255.10, 10.255.255.11 } counter drop
		ip saddr { 10.255.255.10, 10.255.255.11 } counter drop
		iifname { "eno2", "eno3" } arp daddr ip { 10.255.255.10, 10.255.255.11 } counter drop
		iifname { "eno2", "eno3" } ip daddr { 10.255.255.10, 10.255.255.11 } counter drop
		iifname { "eno2", "eno3" } ether saddr 02:70:72:61:63:74 counter drop
	}
	chain passing {
		type filter hook forward priority -210; policy accept;
		oifname { "eno2", "eno3" } arp daddr ip { 10.255.255.10, 10.255.255.11 } counter drop
		oifname { "eno2", "eno3" } ip daddr { 10.255.255.10, 10.255.255.11 } counter drop
		oifname { "eno2", "eno3" } ether daddr 02:70:72:61:63:74 counter drop
	}
	chain leaving {
		type filter hook output priority -210; policy accept;
		oifname { "eno2", "eno3" } arp saddr ip { 10.255.255.10, 10.255.255.11 } counter drop
		oifname { "eno2", "eno3" } ether saddr 02:70:72:61:63:74 counter drop
	}
}
add table inet practicum_sc09
delete table inet practicum_sc09
table inet practicum_sc09 {
	chain guests {
		iifname "vmbr1.101" ip saddr != 10.0.1.0/24 drop
		iifname "vmbr1.102" ip saddr != 10.0.2.0/24 drop
		ip daddr 10.255.255.10 tcp dport 3142 counter accept
		ip daddr 10.255.255.11 tcp dport 2049 counter accept
		counter drop
	}
	chain asked {
		type filter hook input priority -10; policy accept;
		iifname { "vmbr1.101", "vmbr1.102" } jump guests
	}
	chain routed {
		type filter hook forward priority -10; policy accept;
		iifname . oifname { "vmbr1.101" . "vmbr1.101", "vmbr1.102" . "vmbr1.102" } accept
		iifname "vmbr1.101" ip saddr != 10.0.1.0/24 drop
		iifname "vmbr1.102" ip saddr != 10.0.2.0/24 drop
		ct status dnat accept
		iifname { "vmbr1.101", "vmbr1.102" } counter drop
		oifname { "vmbr1.101", "vmbr1.102" } counter drop
	}
}
add table ip practicum_sc09
delete table ip practicum_sc09
table ip practicum_sc09 {
	chain apart {
		type filter hook prerouting priority -300; policy accept;
		iifname "fwbr*" ct zone set 1
	}
	chain asked {
		type nat hook prerouting priority -100; policy accept;
		iifname { "vmbr1.101", "vmbr1.102" } ip daddr 10.255.255.10 udp dport 123 dnat to 192.0.2.1:123
	}
	chain answered {
		type nat hook postrouting priority 100; policy accept;
		ct status dnat masquerade
	}
}
PRACTICUM_END
chmod 644 /etc/practicum/sc09.nft
cat > /etc/network/interfaces.d/practicum-sc09 <<'PRACTICUM_END'
# practicum:sc09: legs of the host in the clusters' networks

auto vmbr1.101
iface vmbr1.101 inet static
	address 10.255.255.10/32
	address 10.255.255.11/32
	hwaddress 02:70:72:61:63:74
	vlan-raw-device vmbr1
	vlan-id 101
	post-up ip route replace 10.0.1.0/24 dev vmbr1.101 src 10.255.255.10

auto vmbr1.102
iface vmbr1.102 inet static
	address 10.255.255.10/32
	address 10.255.255.11/32
	hwaddress 02:70:72:61:63:74
	vlan-raw-device vmbr1
	vlan-id 102
	post-up ip route replace 10.0.2.0/24 dev vmbr1.102 src 10.255.255.10
PRACTICUM_END
chmod 644 /etc/network/interfaces.d/practicum-sc09
cat > /etc/systemd/system/practicum-sc09.service <<'PRACTICUM_END'
[Unit]
Description=practicum:sc09: packet rules of the clusters' services
Before=network-pre.target pve-guests.service
Wants=network-pre.target
DefaultDependencies=no
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/practicum/sc09.nft
ExecStart=/usr/sbin/sysctl -q -w net.ipv4.ip_forward=1
ExecReload=/usr/sbin/nft -f /etc/practicum/sc09.nft
ExecStop=-/usr/sbin/nft delete table bridge practicum_sc09
ExecStop=-/usr/sbin/nft delete table inet practicum_sc09
ExecStop=-/usr/sbin/nft delete table ip practicum_sc09

[Install]
WantedBy=multi-user.target
PRACTICUM_END
chmod 644 /etc/systemd/system/practicum-sc09.service
cat > /etc/systemd/system/practicum-sc09-mirror@.socket <<'PRACTICUM_END'
[Unit]
Description=practicum: mirror for the network of %i

[Socket]
ListenStream=10.255.255.10:3142
BindToDevice=%i
FreeBind=yes

[Install]
WantedBy=sockets.target
PRACTICUM_END
chmod 644 /etc/systemd/system/practicum-sc09-mirror@.socket
cat > /etc/systemd/system/practicum-sc09-mirror@.service <<'PRACTICUM_END'
[Unit]
Description=practicum: mirror for the network of %i
Requires=%p@%i.socket
After=%p@%i.socket

[Service]
DynamicUser=yes
PrivateTmp=yes
ExecStart=/usr/lib/systemd/systemd-socket-proxyd 127.0.0.1:3142
PRACTICUM_END
chmod 644 /etc/systemd/system/practicum-sc09-mirror@.service
cat > /etc/systemd/system/practicum-sc09-files@.socket <<'PRACTICUM_END'
[Unit]
Description=practicum: files for the network of %i

[Socket]
ListenStream=10.255.255.11:2049
BindToDevice=%i
FreeBind=yes

[Install]
WantedBy=sockets.target
PRACTICUM_END
chmod 644 /etc/systemd/system/practicum-sc09-files@.socket
cat > /etc/systemd/system/practicum-sc09-files@.service <<'PRACTICUM_END'
[Unit]
Description=practicum: files for the network of %i
Requires=%p@%i.socket
After=%p@%i.socket

[Service]
DynamicUser=yes
PrivateTmp=yes
ExecStart=/usr/lib/systemd/systemd-socket-proxyd 127.0.0.1:3142
PRACTICUM_END
chmod 644 /etc/systemd/system/practicum-sc09-files@.service
systemctl daemon-reload
systemctl enable practicum-sc09.service
systemctl reload-or-restart practicum-sc09.service
ifreload -a
systemctl list-units --all --plain --no-legend 'practicum-sc09-*@*.socket' | while read -r unit _; do case " practicum-sc09-mirror@vmbr1.101.socket practicum-sc09-mirror@vmbr1.102.socket practicum-sc09-files@vmbr1.101.socket practicum-sc09-files@vmbr1.102.socket " in *" $unit "*) ;; *) systemctl disable --now "$unit" ;; esac; done
systemctl enable --now practicum-sc09-mirror@vmbr1.101.socket practicum-sc09-mirror@vmbr1.102.socket practicum-sc09-files@vmbr1.101.socket practicum-sc09-files@vmbr1.102.socket
