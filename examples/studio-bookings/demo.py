#!/usr/bin/python3
"""What scripts/demo shows, after it has built the programs.

Makes two Postgres clusters and, with --kafka, a broker, in a folder of its own; runs the old
application against OLD all through, the program from OLD to NEW, and at the end asks the oracle
whether every row of NEW is what the mapping makes of OLD. Servers listen on Unix sockets and
loopback only; all of it ends with this process, however it ends.
"""

import argparse
import concurrent.futures
import ctypes
import glob
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TABLES = ["studio_owners", "customers", "studios", "bookings", "accounts", "sessions"]
PR_SET_PDEATHSIG = 1
FOLLOW_SECONDS_MAX = 600


class Failed(Exception):
    """Something the demo needs did not work; the text says what."""


def end_with_parent():
    """In a child before exec: the kernel ends it when this process is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setpgid(0, 0)  # Ctrl-C is for the demo, which ends the others in order


class Demo:
    def __init__(self, args):
        self.args = args
        self.began = time.monotonic()
        self.folder = tempfile.mkdtemp(prefix="switchyard-demo-")
        os.chmod(self.folder, 0o711)
        self.processes = []  # (name, Popen, signal that ends it), in the order they began
        self.server_user = self.find_server_user()
        self.environment = dict(os.environ)
        self.lags = []

    # -- plumbing -----------------------------------------------------------------------------

    def say(self, text):
        print("[%5.1f s] %s" % (time.monotonic() - self.began, text), flush=True)

    @staticmethod
    def find_server_user():
        """Postgres refuses to run as root."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise Failed("there is no user postgres or nobody to run the servers as")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self, name, command, user=None, ends_by=signal.SIGTERM, stdout=None):
        """Starts a program whose output goes to NAME.log."""
        log = open(self.path(name + ".log"), "ab")
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        process = subprocess.Popen(command, stdout=stdout or log, stderr=log, cwd=self.folder,
                                   stdin=subprocess.DEVNULL, env=self.environment,
                                   preexec_fn=end_with_parent, **options)
        log.close()
        self.processes.append((name, process, ends_by))
        return process

    def run(self, command, user=None, stdin=None):
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment,
                              cwd=self.folder, input=stdin, check=False, **options)
        if done.returncode != 0:
            raise Failed("%s: %s" % (" ".join(command[:2]), (done.stderr or done.stdout).strip()))
        return done.stdout

    def check_alive(self):
        for name, process, _ in self.processes:
            if process.poll() not in (None, 0):
                with open(self.path(name + ".log"), errors="replace") as log:
                    raise Failed("%s ended:\n%s" % (name, "".join(log.readlines()[-15:])))

    def wait_for(self, what, seconds, condition):
        deadline = time.monotonic() + seconds
        while not condition():
            self.check_alive()
            if time.monotonic() > deadline:
                raise Failed("%s: not after %d s" % (what, seconds))
            time.sleep(0.05)

    def close(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for _, process, ends_by in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(ends_by)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- the servers --------------------------------------------------------------------------

    def make_clusters(self):
        found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
        if not found:
            raise Failed("there is no /usr/lib/postgresql/*/bin/initdb")
        programs = os.path.dirname(max(found, key=lambda path: int(path.split("/")[4])))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.make_cluster(programs, name), ("old", "new")))
        for name in ("old", "new"):
            self.start_cluster(programs, name)
        for name in ("old", "new"):
            self.wait_for(name + " cluster", 30, lambda n=name: self.answers(n))
            self.run(["psql", "-Xqd", self.dsn(name, "postgres"), "-c", "CREATE DATABASE studio"])
        version = self.query("old", "SHOW server_version").split()[0]
        self.say("OLD and NEW are up: two Postgres %s clusters" % version)

    def make_cluster(self, programs, name):
        home = self.path(name)
        os.mkdir(home, 0o700)  # its socket lets in whoever reaches it
        user = self.server_user
        if user:
            os.chown(home, user.pw_uid, user.pw_gid)
        self.run([programs + "/initdb", "-D", home + "/data", "-U", "postgres", "-A", "trust",
                  "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"], user)

    def start_cluster(self, programs, name):
        home = self.path(name)
        settings = {"listen_addresses": "", "unix_socket_directories": home, "port": "5432",
                    "wal_level": "logical", "shared_buffers": "256MB", "max_wal_size": "4GB",
                    "max_prepared_transactions": "5", "fsync": "off"}  # nothing here is to be kept
        command = [programs + "/postgres", "-D", home + "/data"]
        for key, value in settings.items():
            command += ["-c", "%s=%s" % (key, value)]
        self.start("postgres-" + name, command, self.server_user, ends_by=signal.SIGQUIT)

    def dsn(self, name, database="studio"):
        return "host=%s port=5432 user=postgres dbname=%s" % (self.path(name), database)

    def answers(self, name):
        command = ["psql", "-Xqd", self.dsn(name, "postgres"), "-c", ""]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def query(self, name, sql):
        return self.run(["psql", "-XAtqd", self.dsn(name), "-c", sql]).strip()

    def start_kafka(self):
        ports = []
        for _ in range(2):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                ports.append(probe.getsockname()[1])
        self.start("kafka", [ROOT + "/scripts/kafka", "run", self.path("kafka"), *map(str, ports)])
        self.kafka_address = ("127.0.0.1", ports[0])
        return 'log: {kafka: {bootstrap.servers: "%s:%d", single_broker: true}}' % self.kafka_address

    def await_kafka(self):
        def accepts():
            with socket.socket() as probe:
                return probe.connect_ex(self.kafka_address) == 0

        self.wait_for("Kafka", 60, accepts)
        self.say("a Kafka broker is up")

    # -- the migration ------------------------------------------------------------------------

    def prepare(self):
        log = self.start_kafka() if self.args.kafka else "log: {sqlite: demo.log.db}"
        shutil.copytree(HERE, self.path("migration"))
        self.file = self.path("migration", "migration.yaml")
        with open(self.file) as text:
            written = re.sub("^log: .*$", log, text.read(), flags=re.M)
        with open(self.file, "w") as text:
            text.write(written)
        psql = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1"]
        old = self.path("migration", "old")
        self.run([*psql, "-d", self.dsn("old"), "-v", "scale=%d" % self.args.scale, "-v", "nasty=1",
                  "-f", old + "/schema.sql", "-f", old + "/generate.sql"])
        for step in sorted(glob.glob(self.path("migration", "new", "steps", "*", "up.sql"))):
            self.run([*psql, "-d", self.dsn("new"), "-f", step])
        self.environment.update(OLD_DSN=self.dsn("old"), NEW_DSN=self.dsn("new"))
        counts = " + ".join("(SELECT count(*) FROM %s)" % table for table in TABLES)
        rows = int(self.query("old", "SELECT " + counts))
        self.say("OLD holds {:,} rows in {} tables; NEW has its tables, and no row".format(
            rows, len(TABLES)))
        if self.args.kafka:
            self.await_kafka()
        setup = self.run([self.args.switchyard, "check", "--print-setup", self.file])
        self.run([*psql, "-d", self.dsn("old"), "-f", "-"], stdin=setup)

    def start_workload(self):
        command = [self.path("migration", "workload", "old_app.py"), "--rate", str(self.args.rate)]
        self.workload = self.start("workload", command, stdout=subprocess.PIPE)
        self.say("the old application is at work on OLD: %d transactions/s" % self.args.rate)

    def start_roles(self):
        roles = ["capture", "replay"] if self.args.kafka else ["run"]
        for role in roles:
            self.start(role, [self.args.switchyard, role, self.file])
        self.say("started: " + ", ".join("switchyard " + role for role in roles))

    def statuses(self):
        """One status a second, for ever."""
        command = [self.args.switchyard, "status", "--watch", "--json", self.file]
        watch = self.start("status", command, stdout=subprocess.PIPE)
        for line in watch.stdout:
            self.check_alive()
            yield json.loads(line)["streams"][0]
        raise Failed("switchyard status ended")

    def follow(self):
        """Prints what status says until NEW has kept up with OLD for a while."""
        kept_up = 0
        deadline = time.monotonic() + FOLLOW_SECONDS_MAX
        for status in self.statuses():
            if time.monotonic() > deadline:
                raise Failed("NEW has not kept up within %d s: %s" % (FOLLOW_SECONDS_MAX, status))
            if status["state"] == "stopped":
                raise Failed("the stream stopped: " + status["reason"])
            if status["state"] != "streaming":
                self.say("%-9s  %s" % (status["state"], self.copy_progress(status)))
                continue
            lag = status["lag_seconds"]
            rate = status["transactions_per_second"]
            self.say("streaming  lag %s, %s transactions/s applied, %s rows in quarantine" % (
                "unknown" if lag is None else "%.0f ms" % (lag * 1000),
                "?" if rate is None else "%.0f" % rate, status["quarantined"]))
            if lag is not None and (lag < 1 or kept_up):
                self.lags.append(lag)
                kept_up += 1
            if kept_up >= self.args.seconds:
                return

    def copy_progress(self, status):
        if status["doing"]:
            return status["doing"]
        parts = []
        for table in status["copy"]:
            name = table["table"].split(".")[-1]
            done = table["state"] == "done"
            share = "..." if table["percent"] is None else "%d %%" % table["percent"]
            parts.append("%s %s" % (name, "done" if done else share))
        return ", ".join(parts)

    def stop_workload(self):
        self.workload.send_signal(signal.SIGTERM)
        output, _ = self.workload.communicate(timeout=30)
        result = json.loads(output)
        operations = result["operations"]
        merges = operations["email_merge"] + operations["email_split"] + operations["email_swap"]
        self.say("the old application stopped: {:,} transactions in all, {} of them e-mails merged, "
                 "split or swapped".format(result["transactions"], merges))

    def catch_up(self):
        # One more commit: NEW has everything before it when it has this one.
        began = time.monotonic()
        mark = self.query("old", "UPDATE studios SET city = 'the end ' || now()"
                                 " WHERE id = (SELECT min(id) FROM studios) RETURNING city")
        arrived = "SELECT count(*) FROM studios WHERE city = '%s'" % mark
        self.wait_for("NEW has everything", 60, lambda: self.query("new", arrived) == "1")
        self.say("NEW has all of it, %.0f ms after the last commit" % (
            (time.monotonic() - began) * 1000))

    def compare(self):
        self.say("comparing every row of NEW with the mapping evaluated over OLD:")
        done = subprocess.run([self.args.oracle, self.file], env=self.environment, check=False)
        if done.returncode != 0:
            raise Failed("NEW is not what the mapping says of OLD")
        if self.lags:
            lags = sorted(self.lags)
            self.say("lag while streaming: %.0f ms in the middle, %.0f ms at most" % (
                lags[len(lags) // 2] * 1000, lags[-1] * 1000))

    def play(self):
        self.make_clusters()
        self.prepare()
        self.start_workload()
        self.start_roles()
        self.follow()
        self.stop_workload()
        self.catch_up()
        self.compare()
        self.say("NEW is exactly what the mapping says of OLD")


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kafka", action="store_true", help="a broker between two processes")
    parser.add_argument("--scale", type=int, default=350, help="of old/generate.sql")
    parser.add_argument("--rate", type=int, default=200, help="the old application's transactions/s")
    parser.add_argument("--seconds", type=int, default=7, help="of streaming to show")
    parser.add_argument("--switchyard", type=os.path.abspath, required=True)
    parser.add_argument("--oracle", type=os.path.abspath, required=True)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    demo = Demo(args)
    try:
        demo.play()
        return 0
    except Failed as failure:
        demo.say("FAILED: %s" % failure)
        return 1
    except KeyboardInterrupt:
        demo.say("interrupted")
        return 130
    finally:
        demo.close()


if __name__ == "__main__":
    sys.exit(main())
