"""Throw-away servers, and what their processes cost, for tests/bench/run."""
import glob
import os
import pwd
import signal
import socket
import subprocess
import sys
import time

import psycopg2

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SWITCHYARD = os.path.join(ROOT, "build/release/cli/switchyard")
DEADLINE_S = 600
POLL_S = 0.02


def wait(what, condition, processes=()):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        for process in processes:
            if process.poll() is not None:
                sys.exit(f"a process ended while waiting for {what}")
        if time.monotonic() > deadline:
            sys.exit(f"gave up waiting for {what}")
        time.sleep(POLL_S)


def stop(*processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(30)


class Cluster:
    """A throw-away Postgres, used through its Unix socket where the client can."""

    def __init__(self, folder, name):
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.socket = os.path.join(folder, name)
        self.data = os.path.join(self.socket, "data")
        self.port = free_ports(1)[0]
        self.connections = {}
        os.mkdir(self.socket)
        self.user = []
        if os.geteuid() == 0:
            postgres = pwd.getpwnam("postgres")
            os.chown(self.socket, postgres.pw_uid, postgres.pw_gid)
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync",
                 "-E", "UTF8", "--locale", "C.UTF-8")
        settings = {
            "listen_addresses": "'127.0.0.1'", "port": str(self.port), "unix_socket_directories": f"'{self.socket}'",
            "wal_level": "logical", "shared_buffers": "512MB", "max_wal_size": "8GB",
            "max_replication_slots": "20", "max_wal_senders": "20",
            "checkpoint_timeout": "30min", "logical_decoding_work_mem": "64MB",
        }
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            conf.writelines(f"{key} = {value}\n" for key, value in settings.items())
        self.server = subprocess.Popen(
            self.user + [os.path.join(self.bin, "postgres"), "-D", self.data],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.await_start()

    def await_start(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.sql("postgres", "SELECT 1")
            except psycopg2.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def run(self, program, *arguments, **options):
        options.setdefault("stdout", subprocess.DEVNULL)
        return subprocess.run(self.user + [os.path.join(self.bin, program), *arguments],
                              check=True, **options)

    def dsn(self, database="postgres"):
        return f"host={self.socket} port={self.port} user=postgres dbname={database}"

    def connect(self, database):
        connection = psycopg2.connect(self.dsn(database))
        connection.autocommit = True
        return connection

    def sql(self, database, statement):
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def ask(self, database, statement):
        """Like sql, over a connection that stays: asking often must not cost what is measured."""
        if database not in self.connections:
            self.connections[database] = self.connect(database)
        cursor = self.connections[database].cursor()
        cursor.execute(statement)
        return cursor.fetchall()

    def value(self, database, statement):
        return self.ask(database, statement)[0][0]

    def stop(self):
        for connection in self.connections.values():
            connection.close()
        self.server.send_signal(signal.SIGINT)
        self.server.wait()


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Broker:
    """A Kafka broker of our own."""

    def __init__(self, folder):
        path = os.path.join(folder, "kafka")
        os.mkdir(path)
        self.ports = free_ports(2)
        self.output = open(path + ".log", "wb")
        self.process = subprocess.Popen(
            [os.path.join(ROOT, "scripts/kafka"), "run", path, *map(str, self.ports)],
            stdout=self.output, stderr=self.output, start_new_session=True)
        wait("the broker", self.answers, [self.process])

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[0])) == 0

    def log_section(self):
        return f'{{kafka: {{bootstrap.servers: "{self.address()}", single_broker: true}}}}'

    def address(self):
        return f"127.0.0.1:{self.ports[0]}"

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


def cpu_seconds():
    """CPU so far of each process of Postgres, Kafka and ours, by what it is."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = {}
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            with open(folder + "/cmdline") as file:
                command = file.read().replace("\0", " ").strip()
            with open(folder + "/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if any(word in command for word in ("postgres:", "switchyard ", "kafka.Kafka")):
            used[int(folder[6:])] = (command[:70], (int(fields[11]) + int(fields[12])) / ticks)
    return used
