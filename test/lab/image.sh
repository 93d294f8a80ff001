#!/bin/sh
# Turns a fresh Debian root into the image all nodes share. Argument: the root.
set -eu
root=$1

chroot "$root" useradd --create-home --shell /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"

# CHK-09 reads this very file; the rest lets keys and passwords in.
cat >"$root/etc/ssh/sshd_config" <<'EOF'
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
EOF
rm -f "$root"/etc/ssh/ssh_host_*

# CHK-10.
mkdir -p "$root/etc/systemd/system.conf.d" "$root/etc/systemd/journald.conf.d"
printf '[Manager]\nDefaultTasksMax=infinity\n' >"$root/etc/systemd/system.conf.d/lab.conf"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n' >"$root/etc/systemd/journald.conf.d/lab.conf"

# What a machine without a disk, a console or a packet manager's timers does
# not need costs boot time on every node.
for unit in console-getty.service getty@.service systemd-logind.service \
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
	e2scrub_reap.service dev-hugepages.mount systemd-update-utmp.service \
	systemd-update-utmp-runlevel.service systemd-journal-flush.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
chroot "$root" systemctl --quiet disable haproxy.service named.service
chroot "$root" systemctl --quiet enable systemd-networkd.service

# The second name server of the DNS node: a cache in front of the first.
cat >"$root/etc/systemd/system/named-resolver.service" <<'EOF'
[Unit]
Description=Caching resolver of the lab
After=network.target

[Service]
ExecStart=/usr/sbin/named -f -u bind -c /etc/bind/resolver.conf
ExecReload=/usr/sbin/rndc -c /etc/bind/resolver-rndc.conf reload
Restart=on-failure

[Install]
WantedBy=multi-user.target
EOF

# Every node gets its own.
rm -f "$root/etc/machine-id" "$root/var/lib/dbus/machine-id" "$root/etc/hostname" "$root/etc/resolv.conf"
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/log/*.log "$root"/var/log/apt
mkdir -p "$root/opt/acp-lab/bin"
