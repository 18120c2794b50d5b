"""A private PostgreSQL server in a folder, run by an unprivileged user as PostgreSQL demands, for tests."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess


def programs():
    """Folder of initdb and postgres, which Debian keeps out of the PATH; None where PostgreSQL is not installed."""
    for folder in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    found = shutil.which("initdb")
    return pathlib.Path(found).parent if found else None


def user():
    """Who runs the server: whoever runs the test, or for root the user of Debian's package."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def reason_to_skip():
    if programs() is None:
        return "PostgreSQL is not installed"
    return "there is no unprivileged user to run PostgreSQL" if os.geteuid() == 0 and user() is None else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.folder, self.port, self.bin = pathlib.Path(folder).resolve(), free_port(), programs()
        self.folder.mkdir(parents=True)
        owner = user()
        self.identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
        if owner:
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.run("initdb", "--pgdata", self.folder / "data", "--username", "lathe", "--auth", "trust", "--encoding", "UTF8", "--locale", "C")
        self.url = f"postgresql://lathe@127.0.0.1:{self.port}/postgres"
        self.start()

    def run(self, program, *arguments):
        done = subprocess.run([self.bin / program, *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd="/", **self.identity)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def control(self, action, *arguments):
        self.run("pg_ctl", action, "--pgdata", self.folder / "data", "--wait", "--log", self.folder / "log", *arguments)

    def start(self):
        self.control("start", "-o", f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off")

    def stop(self, mode="fast"):
        self.control("stop", "--mode", mode)

    def ask(self, statement):
        """Rows as lists of texts."""
        done = subprocess.run([self.bin / "psql", self.url, "--no-psqlrc", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]
