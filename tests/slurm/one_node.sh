#!/usr/bin/env bash
# A Slurm of one node on this machine, all of whose state is in a folder of its own:
#   one_node.sh start FOLDER    writes FOLDER/slurm.conf and starts munged, slurmctld and slurmd
#   one_node.sh stop FOLDER     stops those three
# Slurm's commands find it through the link /run/slurm/conf, their last resort: a variable such as
# SLURM_CONF would not do, for Snakemake's executor clears those. Refuses where Slurm is set up already.
# Needs root (slurmd starts processes as other users) and the packages munge, slurmctld and slurmd.
set -euo pipefail

command=$1
folder=$(realpath -m "$2")

stop() {
    for name in slurmd slurmctld munged; do
        [ -s "$folder/$name.pid" ] || continue
        pid=$(cat "$folder/$name.pid")
        kill "$pid" 2>/dev/null || continue
        # slurmctld saves its state as it ends; a folder removed meanwhile would be written to again.
        for _ in $(seq 100); do
            if [ ! -e "/proc/$pid/exe" ]; then break; fi
            sleep 0.1
        done
    done
    if [ "$(readlink /run/slurm/conf)" = "$folder" ]; then rm /run/slurm/conf; fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    for place in /etc/slurm/slurm.conf /run/slurm/conf; do
        if [ -e "$place" ]; then echo "a Slurm is set up here already: $place" >&2; exit 1; fi
    done
    mkdir -p "$folder"/{state,spool}
    # munged refuses a socket or key below a folder that others may write to, as /tmp is, unless forced.
    [ -s "$folder/munge.key" ] || (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    munged --force --key-file "$folder/munge.key" --socket "$folder/munge.socket" \
        --pid-file "$folder/munged.pid" --log-file "$folder/munged.log" --seed-file "$folder/munge.seed"
    host=$(hostname -s)
    cat >"$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
MpiDefault=none
MinJobAge=600
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    mkdir -p /run/slurm
    ln -sfn "$folder" /run/slurm/conf
    slurmctld -f "$folder/slurm.conf"
    slurmd -f "$folder/slurm.conf" -N "$host"
    for _ in $(seq 100); do
        if sinfo --noheader --format %T 2>/dev/null | grep -q idle; then return; fi
        sleep 0.2
    done
    echo "the node never became idle" >&2
    tail -n 5 "$folder"/slurmctld.log "$folder"/slurmd.log >&2
    stop
    exit 1
}

"$command"
