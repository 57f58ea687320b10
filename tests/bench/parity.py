"""verify beside the plain way to compare: count and hash each side, one after the other."""
import json
import subprocess
import time

from workload import SAME_MAPPING, TABLES

# What people run by hand: it tells that something differs, of databases at rest, and not what.
PLAIN = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {} t"


class Parity:
    def parity(self):
        rows = 2_000_000
        old, new, _ = self.databases("parity")
        self.old.sql(old, TABLES + f"""
            INSERT INTO accounts SELECT i, 'owner ' || i, i, repeat('n', 60), '2025-01-01'
              FROM generate_series(1, {rows // 2}) i;
            INSERT INTO orders SELECT i, i, i % 1000, 'open', '2025-01-01'
              FROM generate_series(1, {rows // 2}) i;
            ANALYZE""")
        self.new.sql(new, TABLES)
        ours = self.migration(self, "parity", old, new, SAME_MAPPING)
        ours.start()
        ours.await_streaming()
        self.new.sql(new, "VACUUM ANALYZE")
        self.old.sql(old, "VACUUM ANALYZE")
        ours_s, peer_s = [], []
        for turn in range(self.arguments.rounds + 1):  # the first warms up
            def run_plain():
                begin = time.monotonic()
                seen = [[server.ask(database, PLAIN.format(table))
                         for table in ("accounts", "orders")]
                        for server, database in ((self.old, old), (self.new, new))]
                peer_s.append(time.monotonic() - begin)
                assert seen[0] == seen[1]

            def run_ours():
                ours_s.append(self.verify(ours, rows)["seconds"])

            for run in ((run_plain, run_ours) if turn % 2 == 0 else (run_ours, run_plain)):
                run()
        self.report("parity", ours_s[1:], peer_s[1:], rows, 0.67, 1)
        throttled = self.verify(ours, rows, "--throttle", str(rows // 8))
        print(f"parity: at {rows // 8:,} rows/s of each side {throttled['seconds']:.1f} s", flush=True)
        ours.stop()

    def verify(self, ours, rows, *words):
        """A pass, which has to be clean."""
        result = json.loads(subprocess.run(
            [ours.program, "--json", "--log-level", "error", "verify", ours.path, *words], check=True,
            env=ours.environment, stdout=subprocess.PIPE).stdout)
        assert sum(table["rows_compared"] for table in result["tables"]) == rows, result
        print(f"parity: held for {result['held_ms']} ms", flush=True)
        return result
