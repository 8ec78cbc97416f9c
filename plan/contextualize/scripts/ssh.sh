sshd -t
systemctl -q try-reload-or-restart ssh
