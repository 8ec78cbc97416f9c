. /etc/os-release
if dpkg --compare-versions "${VERSION_ID:-99}" le 12; then
    need ganglia-monitor
    serve ganglia-monitor
    if [ "$ROLE" = head ]; then
        need gmetad
        serve gmetad
    fi
else
    echo "Debian ${VERSION_ID:-} has no Ganglia daemons: Prometheus alone"
fi
need prometheus-node-exporter
serve prometheus-node-exporter
if [ "$ROLE" = head ]; then
    need prometheus
    serve prometheus
fi
