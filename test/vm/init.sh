#!/bin/busybox sh
# First process of the test VM. Makes a root out of the host's (read-only, by virtiofs) and a disk for all writes,
# mounts cgroup v2 alone, runs /script in it, and reports the exit code on the second virtio port.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/mod/$module"; done </mod/order 2>/dev/null

mount -t virtiofs -o ro host /host
mount -t ext4 /dev/vda /rw
mkdir -p /rw/upper /rw/work /rw/data/tmp
chmod 1777 /rw/data/tmp
mount -t overlay overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work /new
mkdir -p /new/proc /new/sys /new/dev /new/run /new/tmp /new/var/lib/vm
mount -t proc proc /new/proc
mount -t sysfs sys /new/sys
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm /new/dev/mqueue
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts /new/dev/pts
mount -t tmpfs shm /new/dev/shm
mount -t mqueue mqueue /new/dev/mqueue
mount -t tmpfs run /new/run
# Containers need a writable layer on a file system that is not itself an overlay.
mount --bind /rw/data /new/var/lib/vm

mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
mkdir /new/sys/fs/cgroup/system
echo $$ >/new/sys/fs/cgroup/system/cgroup.procs
for controller in cpu memory pids io cpuset; do
  echo "+$controller" >/new/sys/fs/cgroup/cgroup.subtree_control
done
ip link set lo up
hostname vm

for port in /dev/vport*p1; do output=$port; done
for port in /dev/vport*p2; do code=$port; done
cp /script /new/run/script
# As switch_root(8) does it: the root of the mount namespace is then the same as the processes'.
cd /new && mount -o move . /
# The port itself can be opened only once; the command gets a pipe.
{
  chroot . /bin/bash /run/script </dev/null 2>&1
  echo $? >/exit-code
} | cat >"$output"
cat /exit-code >"$code"
sync
poweroff -f
