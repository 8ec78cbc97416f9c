# A root that is an overlay, as a container's is, cannot be exported: files of it have no handles.
# Such a guest has a plain file system at /srv/export, which becomes its /home.
if [ "$(stat -f -c %T /home)" = overlayfs ] && ! mountpoint -q /home; then
    if ! mountpoint -q /srv/export; then
        echo "/home is on an overlay, and nothing is mounted at /srv/export" >&2
        exit 1
    fi
    cp -a /home/. /srv/export/
    grep -q '^/srv/export /home ' /etc/fstab 2>/dev/null ||
        echo '/srv/export /home none bind 0 0' >>/etc/fstab
    mount --bind /srv/export /home
fi

modprobe -q nfsd 2>/dev/null || true
if grep -qw nfsd /proc/filesystems; then
    need nfs-kernel-server
    systemctl -q --no-reload enable nfs-server
    systemctl start nfs-server
    exportfs -ra
else
    need nfs-ganesha nfs-ganesha-vfs rpcbind
    systemctl -q --no-reload enable rpcbind nfs-ganesha
    systemctl start rpcbind
    systemctl restart nfs-ganesha
fi
await 60 bash -c 'exec 3<>/dev/tcp/127.0.0.1/2049'
