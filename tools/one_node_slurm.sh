#!/bin/sh
# Start a cluster of SLURM of one node on this machine, as root, for tests (Debian: apt install slurm-wlm munge).
# It writes /etc/slurm/slurm.conf: never run it on a machine that belongs to a cluster.
set -e
[ -e /etc/slurm/slurm.conf ] && { echo "There is an /etc/slurm/slurm.conf already."; exit 1; }
mkdir -p /etc/slurm /var/spool/slurmctld /var/spool/slurmd /run/munge
[ -e /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1
chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge
chmod 400 /etc/munge/munge.key
runuser -u munge -- munged
name=$(hostname -s)
cat > /etc/slurm/slurm.conf <<END
ClusterName=one
SlurmctldHost=$name(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
ReturnToService=2
NodeName=$name NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
slurmctld
slurmd
sleep 5
sinfo
