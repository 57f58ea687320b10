"""Rules told from selects beside those written by hand, changes that nobody reads, and `check`."""
import os
import re
import statistics
import subprocess
import sys
import time

from growth import FILM_MAPPING, FILM_NEW, FILM_OLD
from harness import SWITCHYARD
from workload import CHANGES, ROWS, SPLIT_MAPPING, SPLIT_TABLES, TABLES

EXAMPLE = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "studio-bookings")
SELECTS = 300


def without_rules(mapping):
    """The same file, its rules and mirror indexes left to be derived."""
    lines, deeper = [], None
    for line in mapping.splitlines():
        depth = len(line) - len(line.lstrip())
        if deeper is not None and depth > deeper:
            continue
        deeper = depth if re.match(r"\s*(from|mirror_indexes):", line) else None
        if deeper is None:
            lines.append(line)
    return "\n".join(lines) + "\n"


class Rules:
    def derived(self):
        """The same program and changes, rules derived beside declared, turn about."""
        shapes = {
            "split_merge": (TABLES + ROWS + CHANGES, SPLIT_TABLES, SPLIT_MAPPING,
                            "CALL make_changes({changes} / 10, 1000000 * ({turn} + 1))",
                            "INSERT INTO accounts VALUES (-1 - {turn}, 'm', 0, '', now())",
                            "SELECT 1 FROM holders WHERE id = -1 - {turn}"),
            "films": (FILM_OLD, FILM_NEW, FILM_MAPPING, "CALL mixed({changes}, {turn} + 1)",
                      "INSERT INTO payment VALUES (-1 - {turn}, 1, 1)",
                      "SELECT 1 FROM payments WHERE id = -1 - {turn}"),
        }
        for name, (old_sql, new_sql, mapping, change, mark, seen) in shapes.items():
            sides = self.rule_sides(f"{name}_rules", old_sql, new_sql,
                                    [(without_rules(mapping), SWITCHYARD), (mapping, SWITCHYARD)])
            took = self.turns(sides, [change, mark], seen)
            self.report_rules(f"{name}, rules derived", took, "declared")

    def unread(self):
        """A column that no mapping reads changes in every row; beside one that both mappings of the
        table read or, with --against, beside another build."""
        read = "UPDATE customer SET active = NOT active"
        if self.arguments.against:
            other = os.path.abspath(self.arguments.against)
            sides = self.rule_sides("unread", FILM_OLD, FILM_NEW,
                                    [(FILM_MAPPING, SWITCHYARD), (FILM_MAPPING, other)])
            took = self.turns(sides, [read, "INSERT INTO payment VALUES (-1 - {turn}, 1, 1)"],
                              "SELECT 1 FROM payments WHERE id = -1 - {turn}")
            beside = "another build"
        else:
            sides = self.rule_sides("unread", FILM_OLD, FILM_NEW, [(FILM_MAPPING, SWITCHYARD)] * 2)
            took = self.turns(sides, [(read, "UPDATE customer SET email = email || '.'"),
                                      "INSERT INTO payment VALUES (-1 - {turn}, 1, 1)"],
                              "SELECT 1 FROM payments WHERE id = -1 - {turn}")
            beside = "a column that is read"
        rows = 20_000
        own, peer = (statistics.median(taken) for taken in took)
        print(f"unread         {rows / own:,.0f} rows/s, {beside} {rows / peer:,.0f} rows/s: "
              f"{peer / own:.1f} times as fast; rounds: "
              + " ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(*took)), flush=True)
        self.results.append((f"unread column, beside {beside}", f"{rows / own:,.0f}/s",
                             f"{rows / peer:,.0f}/s", f"{peer / own:.1f}×", "", ""))

    def check(self):
        """How long `check` takes: of the example, and of a file of 300 selects."""
        old, new, _ = self.databases("check_example")
        for script in ("schema.sql", "generate.sql"):
            self.old.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-v", "scale=20", "-v", "nasty=1",
                         "-d", self.old.dsn(old), "-f", os.path.join(EXAMPLE, "old", script))
        with open(os.path.join(EXAMPLE, "migration.yaml")) as page:
            text = page.read()
        for step in re.findall(r"new/steps/\S+", text):
            with open(os.path.join(EXAMPLE, step)) as script:
                self.new.sql(new, script.read())
        mapping = text[text.index("forward:"):].replace("forward/", os.path.join(EXAMPLE, "forward/"))
        self.time_check("check of the example", self.migration(self, "check_example", old, new,
                                                               mapping), 3)
        old, new, _ = self.databases("check_many")
        tables, targets, mappings = [], [], ["forward:\n  tables:\n"]
        for i in range(SELECTS):
            tables.append(f"CREATE TABLE p{i} (id int PRIMARY KEY, name text NOT NULL, up int);"
                          f"CREATE TABLE q{i} (id int PRIMARY KEY, p int NOT NULL, v int, at timestamptz);")
            targets.append(f"CREATE TABLE r{i} (id int PRIMARY KEY, name text, n bigint, last int);")
            mappings.append(f"""    - table: public.r{i}
      select: |
        SELECT p.id, coalesce(u.name, p.name) AS name, count(q.id) AS n,
               (SELECT l.v FROM q{i} l WHERE l.p = p.id ORDER BY l.at DESC, l.id LIMIT 1) AS last
        FROM p{i} p LEFT JOIN p{(i + 1) % SELECTS} u ON u.id = p.up LEFT JOIN q{i} q ON q.p = p.id
        GROUP BY p.id, p.name, u.name
""")
        self.old.sql(old, "".join(tables))
        self.new.sql(new, "".join(targets))
        self.time_check(f"check of {SELECTS} selects",
                        self.migration(self, "check_many", old, new, "".join(mappings)), 60)

    # ---- what they share

    def rule_sides(self, name, old_sql, new_sql, kinds):
        sides = []
        for suffix, (mapping, program) in zip("ab", kinds):
            old, new, _ = self.databases(name + suffix)
            self.old.sql(old, old_sql)
            self.new.sql(new, new_sql)
            sides.append(self.migration(self, name + suffix, old, new, mapping, program=program))
            sides[-1].start()
            sides[-1].await_streaming()
            sides[-1].stop()
        return sides

    def turns(self, sides, statements, seen):
        """Seconds from the start of the process to the last change, by side; a first turn is lost.
        A statement may be another one for each side."""
        took = ([], [])
        for turn in range(self.arguments.rounds + 1):
            words = {"turn": turn, "changes": self.arguments.changes}
            for at, side in enumerate(sides):
                for statement in statements:
                    one = statement if isinstance(statement, str) else statement[at]
                    self.old.sql(side.old, one.format(**words))
            end = self.old.value("postgres", "SELECT pg_current_wal_insert_lsn()")
            for at in ((0, 1) if turn % 2 == 0 else (1, 0)):
                side = sides[at]
                seconds = self.timed(side.start, lambda: bool(self.new.ask(
                    side.new, seen.format(**words))), lambda: side.processes)
                self.forget(side.slot, end)
                side.stop()
                if turn > 0:
                    took[at].append(seconds)
        return took

    def report_rules(self, name, took, beside):
        own, peer = (statistics.median(taken) for taken in took)
        print(f"{name}: {own:.2f} s, {beside} {peer:.2f} s, {peer / own:.2f} times as fast; rounds: "
              + " ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(*took)), flush=True)
        self.results.append((name, f"{own:.2f} s", f"{peer:.2f} s ({beside})",
                             f"{peer / own:.2f}×", "0.95×", ""))

    def time_check(self, name, ours, at_most):
        took = []
        for _ in range(self.arguments.rounds):
            begin = time.monotonic()
            checked = subprocess.run([ours.program, "check", ours.path], env=ours.environment,
                                     stdout=subprocess.PIPE, text=True)
            took.append(time.monotonic() - begin)
            if checked.returncode != 0:
                sys.exit(f"{name}: {checked.stdout[:2000]}")
        seconds = statistics.median(took)
        print(f"{name}: {seconds:.2f} s (at most {at_most})", flush=True)
        self.results.append((name, f"{seconds:.2f} s", "", "", f"≤ {at_most} s", ""))
