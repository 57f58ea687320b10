"""Another build of the program as the peer: what a change of ours costs, in one run."""
import os
import statistics

from harness import SWITCHYARD
from workload import (CHANGES, ROWS, SAME_MAPPING, SMALL_MAPPING, SPLIT_MAPPING, SPLIT_TABLES,
                      TABLES)


class Versions:
    def compare_versions(self, scenario):
        shapes = {
            "catchup": (TABLES, SAME_MAPPING, False, ("run",)),
            "small": (TABLES, SMALL_MAPPING, False, ("run",)),
            "catchup_kafka": (TABLES, SAME_MAPPING, True, ("capture", "replay")),
            "split_merge": (SPLIT_TABLES, SPLIT_MAPPING, False, ("run",)),
            "capture": (TABLES, SAME_MAPPING, False, ("capture",)),
        }
        if scenario in shapes:
            self.compare_catchup(scenario, *shapes[scenario])
        elif scenario == "copy":
            self.compare_copy()

    def sides(self, name, tables, mapping, kafka=False, roles=("run",)):
        """The build of this tree, then the other: each with an OLD and a NEW of its own."""
        made = []
        for suffix, program in (("a", SWITCHYARD), ("b", os.path.abspath(self.arguments.against))):
            old, new, _ = self.databases(name + suffix)
            self.old.sql(old, TABLES + ROWS + CHANGES)
            self.new.sql(new, tables)
            made.append(self.migration(self, name + suffix, old, new, mapping,
                                       self.kafka() if kafka else None, roles, program))
        return made

    def compare_catchup(self, name, tables, mapping, kafka, roles):
        sides = self.sides(name, tables, mapping, kafka, roles)
        for side in sides:
            side.start("run")
            side.await_streaming()
            side.stop()
        seconds = ([], [])
        table = "accounts" if tables == TABLES else "holders"
        for turn in range(self.arguments.rounds + 1):  # the first does not count
            marker = -1 - turn
            for side in sides:
                self.old.sql(side.old, f"CALL make_changes({self.arguments.changes // 10}, "
                                       f"{1_000_000 * (turn + 1)});")
                self.old.sql(side.old, f"INSERT INTO accounts VALUES ({marker}, 'm', 0, '', now())")
            end = self.old.value("postgres", "SELECT pg_current_wal_insert_lsn()")
            for at in ((0, 1) if turn % 2 == 0 else (1, 0)):
                side = sides[at]
                if roles == ("capture",):
                    def done(side=side):
                        return self.old.value(
                            side.old, f"SELECT confirmed_flush_lsn >= '{end}' FROM "
                                      f"pg_replication_slots WHERE slot_name = '{side.slot}'")
                else:
                    def done(side=side):
                        return bool(self.new.ask(side.new,
                                                 f"SELECT 1 FROM {table} WHERE id = {marker}"))
                took = self.timed(side.start, done, lambda side=side: side.processes)
                self.forget(side.slot, end)
                side.stop()
                if turn > 0:
                    seconds[at].append(took)
        self.report_versions(name, seconds)

    def compare_copy(self):
        seconds = ([], [])
        for turn in range(self.arguments.rounds):
            sides = self.sides(f"copy{turn}", TABLES, SAME_MAPPING)
            for side in sides:
                self.old.sql(side.old, """
                    INSERT INTO orders SELECT i, i, i % 1000, 'open', '2025-01-01'
                      FROM generate_series(200000, 1500000) i; ANALYZE""")
            for at in ((0, 1) if turn % 2 == 0 else (1, 0)):
                seconds[at].append(self.timed(sides[at].start,
                                              lambda at=at: sides[at].state() == "streaming",
                                              lambda at=at: sides[at].processes))
                sides[at].stop()
                self.old.sql(sides[at].old, f"SELECT pg_drop_replication_slot('{sides[at].slot}')")
        self.report_versions("copy", seconds)

    def report_versions(self, name, seconds):
        own, other = (statistics.median(taken) for taken in seconds)
        print(f"{name:14s} this {own:6.2f} s, other {other:6.2f} s: {other / own:.2f} times as fast; "
              "rounds: " + " ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(*seconds)), flush=True)
        self.results.append((f"{name}, against another build", f"{own:.2f} s", f"{other:.2f} s",
                             f"{other / own:.2f}×", "0.95×", ""))
