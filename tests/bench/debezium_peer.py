"""What is used for this today: Debezium's Postgres source and its JDBC sink, on Kafka Connect.

Both in one standalone worker, with JSON (what needs no schema registry), and tuned for throughput:
large batches and queues, the sink's reduction buffer, a task per table.
"""
import filecmp
import os
import shutil
import signal
import subprocess
import tempfile

from harness import ROOT, free_ports

POM = os.path.join(ROOT, "tests/bench/debezium/pom.xml")
LOGGING = os.path.join(ROOT, "tests/support/kafka/log4j2.properties")

WORKER = """
bootstrap.servers={broker}
listeners=http://127.0.0.1:{rest_port}
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=10000
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
plugin.discovery=hybrid_warn
connector.client.config.override.policy=All
"""
SOURCE = """
name=source
connector.class=io.debezium.connector.postgresql.PostgresConnector
tasks.max=1
topic.prefix=bench
database.hostname=127.0.0.1
database.port={old_port}
database.user=postgres
database.password=
database.dbname={old}
plugin.name=pgoutput
slot.name=debezium
publication.name=debezium
publication.autocreate.mode=disabled
snapshot.mode=no_data
table.include.list=public.accounts,public.orders
tombstones.on.delete=false
max.batch.size=8192
max.queue.size=65536
poll.interval.ms=10
topic.creation.default.replication.factor=1
topic.creation.default.partitions=1
producer.override.linger.ms=5
producer.override.batch.size=1000000
producer.override.compression.type=lz4
"""
SINK = """
name=sink
connector.class=io.debezium.connector.jdbc.JdbcSinkConnector
tasks.max=2
topics=bench.public.accounts,bench.public.orders
connection.url=jdbc:postgresql://127.0.0.1:{new_port}/{new}?reWriteBatchedInserts=true
connection.username=postgres
connection.password=
insert.mode=upsert
delete.enabled=true
primary.key.mode=record_key
schema.evolution=none
use.reduction.buffer=true
batch.size=5000
consumer.override.max.poll.records=5000
consumer.override.auto.offset.reset=earliest
transforms=route
transforms.route.type=org.apache.kafka.connect.transforms.RegexRouter
transforms.route.regex=.*\\\\.(.*)
transforms.route.replacement=$1
"""


def fetch_jars():
    jars = os.path.join(os.environ.get("SWITCHYARD_CACHE") or os.path.join(ROOT, "build/deps"),
                        "debezium")
    if not os.path.exists(os.path.join(jars, "pom.xml")) or not filecmp.cmp(
            POM, os.path.join(jars, "pom.xml"), shallow=False):
        os.makedirs(os.path.dirname(jars), exist_ok=True)
        fresh = tempfile.mkdtemp(prefix="debezium.", dir=os.path.dirname(jars))
        subprocess.run(["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies",
                        f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"], check=True)
        shutil.copy(POM, fresh)
        shutil.rmtree(jars, ignore_errors=True)
        os.rename(fresh, jars)
    return jars


class Debezium:
    """A worker that carries public.accounts and public.orders of `old` to `new`."""

    def __init__(self, folder, broker, old_cluster, old, new_cluster, new):
        self.folder = os.path.join(folder, "debezium")
        os.mkdir(self.folder)
        self.jars = fetch_jars()
        self.process = None
        self.files = []
        values = {"broker": broker, "folder": self.folder, "rest_port": free_ports(1)[0],
                  "old_port": old_cluster.port, "old": old, "new_port": new_cluster.port, "new": new}
        for name, text in (("worker", WORKER), ("source", SOURCE), ("sink", SINK)):
            self.files.append(os.path.join(self.folder, name + ".properties"))
            with open(self.files[-1], "w") as out:
                out.write(text.format(**values))
        old_cluster.sql(old, "CREATE PUBLICATION debezium FOR TABLE accounts, orders")
        old_cluster.sql(old, "SELECT pg_create_logical_replication_slot('debezium', 'pgoutput')")

    def start(self):
        output = open(os.path.join(self.folder, "output"), "wb")
        self.process = subprocess.Popen(
            ["java", "-Xmx2g", "-cp", self.jars + "/*", f"-Dlog4j2.configurationFile={LOGGING}",
             "org.apache.kafka.connect.cli.ConnectStandalone", *self.files],
            stdout=output, stderr=output)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
