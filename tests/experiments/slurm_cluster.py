"""A Slurm cluster of two nodes on this host, as root, without systemd, cgroups or munge, for tests."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol")

CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={port}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
TmpFS={folder}/tmp-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=1
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobcomp.txt
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=5
MinJobAge=60
JobRequeue=1
UnkillableStepTimeout=30
SlurmdTimeout=60
"""
NODE = ("NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 "
        "ThreadsPerCore=1 RealMemory=2000 State=UNKNOWN\n")
PARTITION = "PartitionName=debug Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO\n"


def reason_to_skip():
    missing = [program for program in PROGRAMS if shutil.which(program) is None and not pathlib.Path("/usr/sbin", program).exists()]
    if missing:
        return "Slurm is not installed (no " + ", ".join(missing) + ")"
    return None if os.geteuid() == 0 else "the test's Slurm daemons need root"


class Cluster:
    def __init__(self, folder, port=16817):
        self.folder, self.daemons = pathlib.Path(folder).resolve(), {}
        for name in ("state", "spool/n1", "spool/n2", "tmp-n1", "tmp-n2", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        host = socket.gethostname()
        nodes = "".join(NODE.format(name=name, host=host, port=port + 4 + i) for i, name in enumerate(("n1", "n2")))
        conf = self.folder / "slurm.conf"
        conf.write_text(CONF.format(host=host, port=port, folder=self.folder) + nodes + PARTITION)
        self.environment = {**os.environ, "SLURM_CONF": str(conf), "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        self.start("slurmctld", "slurmctld", "-D", "-c")
        for node in ("n1", "n2"):
            self.start(node, "slurmd", "-D", "-N", node)
        self.wait_for_nodes()

    def start(self, name, *command):
        self.daemons[name] = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                              start_new_session=True)

    def run(self, *command):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)

    def wait_for_nodes(self):
        deadline = time.monotonic() + 90
        while self.run("sinfo", "-h", "-t", "idle", "-o", "%D").stdout.strip() != "2":
            if time.monotonic() > deadline:
                raise TimeoutError("the nodes did not come up: " + self.run("sinfo").stdout)
            time.sleep(0.5)

    def jobs(self):
        """(job, array task, state, node) of everything in the queue; only what runs has a node."""
        lines = self.run("squeue", "-h", "-r", "-o", "%i %K %T %N").stdout.splitlines()
        return [line.split() for line in lines]

    def signal_script(self, job, name):
        """scancel sends the signal to an array's task at once, but takes the tasks that are pending for a reason to try again for minutes."""
        try:
            subprocess.run(("scancel", f"--signal={name}", "--batch", job), env=self.environment, capture_output=True, timeout=3)
        except subprocess.TimeoutExpired:
            pass

    def start_waiting_now(self):
        """A requeued job is held back for two minutes; this ends its wait."""
        for line in self.run("squeue", "-h", "-r", "-t", "PENDING", "-o", "%i %r").stdout.splitlines():
            if line.split()[1] == "BeginTime":
                self.run("scontrol", "update", "JobId=" + line.split()[0], "StartTime=now")

    def lose(self, node):
        """The node's daemon dies; the controller is told at once instead of after SlurmdTimeout."""
        self.daemons[node].kill()
        self.daemons[node].wait()
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def bring_back(self, node):
        self.start(node, "slurmd", "-D", "-N", node)
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def stop(self):
        self.run("scancel", "--user=root")
        deadline = time.monotonic() + 20
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.5)
        for process in reversed(self.daemons.values()):
            process.send_signal(signal.SIGTERM)
        for process in self.daemons.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
