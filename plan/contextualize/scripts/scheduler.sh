if [ "$ROLE" = controller ]; then
    need munge slurmctld slurm-client
else
    need munge slurmd slurm-client
fi

# The files came before the package that makes their owner.
chown munge: /etc/munge/munge.key
chmod 0400 /etc/munge/munge.key
install -d -o slurm -g slurm /var/lib/slurm /var/lib/slurm/slurmctld /var/lib/slurm/slurmd /var/log/slurm

# slurmd 22.05 refuses a host whose cgroups are of both versions unless it is told which to take.
if [ "$(grep -c '^[1-9]' /proc/self/cgroup)" -gt 0 ]; then
    printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >/etc/slurm/cgroup.conf
fi

serve munge
if [ "$ROLE" = controller ]; then
    serve slurmctld
else
    serve slurmd
fi
