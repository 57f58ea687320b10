"""What grows with a key's type, the size of a batch, a re-copy and the number of tables."""
import time

from workload import ROWS, SAME_MAPPING, TABLES

# A film rental schema: customers and staff merged by e-mail, films with what they earned.
FILM_OLD = """
CREATE TABLE customer (customer_id int PRIMARY KEY, email text NOT NULL, first_name text NOT NULL,
                       active bool NOT NULL, seen timestamptz);
CREATE TABLE staff (staff_id int PRIMARY KEY, email text NOT NULL, first_name text NOT NULL);
CREATE TABLE film (film_id int PRIMARY KEY, title text NOT NULL, rate numeric(6,2) NOT NULL);
CREATE TABLE inventory (inventory_id int PRIMARY KEY, film_id int NOT NULL);
CREATE INDEX ON inventory (film_id);
CREATE TABLE rental (rental_id int PRIMARY KEY, inventory_id int NOT NULL, customer_id int NOT NULL,
                     rented timestamptz NOT NULL, returned timestamptz);
CREATE INDEX ON rental (customer_id);
CREATE TABLE payment (payment_id int PRIMARY KEY, rental_id int NOT NULL, amount numeric(6,2) NOT NULL);
INSERT INTO customer SELECT i, 'c' || i || '@x', 'first ' || i, true, NULL FROM generate_series(1, 20000) i;
INSERT INTO staff SELECT i, 'c' || i * 7 || '@x', 'staff ' || i FROM generate_series(1, 200) i;
INSERT INTO film SELECT i, 'film ' || i, 2.99 FROM generate_series(1, 1000) i;
INSERT INTO inventory SELECT i, 1 + i % 1000 FROM generate_series(1, 4500) i;
INSERT INTO rental SELECT i, 1 + i % 4500, 1 + i * 7919 % 20000, '2025-01-01', NULL FROM generate_series(1, 100000) i;
INSERT INTO payment SELECT i, i, 2.99 FROM generate_series(1, 100000) i;
ANALYZE;
CREATE PROCEDURE mixed(changes int, turn int) LANGUAGE plpgsql AS $$
DECLARE base int := 200000 * turn; BEGIN
  FOR t IN 1 .. changes / 10 LOOP
    INSERT INTO rental SELECT base + t * 2 + k, 1 + (t * 31 + k) % 4500, 1 + t * 17 % 20000, '2025-02-01', NULL
      FROM generate_series(0, 1) k;
    INSERT INTO payment SELECT base + t * 2 + k, base + t * 2 + k, 3.99 FROM generate_series(0, 1) k;
    UPDATE rental SET returned = '2025-02-02' WHERE rental_id IN (1 + t * 13 % 100000, 1 + t * 29 % 100000);
    UPDATE customer SET first_name = 'n' || turn || t WHERE customer_id IN (1 + t * 11 % 20000, 1 + t * 23 % 20000);
    UPDATE payment SET amount = amount + 1 WHERE payment_id = 1 + t * 37 % 100000;
    DELETE FROM payment WHERE payment_id = base + t * 2 - 40;
    COMMIT;
  END LOOP;
END $$;
"""
FILM_NEW = """
CREATE TABLE people (email text PRIMARY KEY, name text NOT NULL, is_staff bool NOT NULL);
CREATE TABLE rentals (id int PRIMARY KEY, film_id int, email text NOT NULL, rented timestamptz NOT NULL,
                      returned timestamptz);
CREATE TABLE payments (id int PRIMARY KEY, rental_id int NOT NULL, cents int NOT NULL);
"""
FILM_MAPPING = """
forward:
  tables:
    - table: public.people
      scope: email
      from: {customer: email, staff: email}
      select: |
        SELECT email, max(first_name) AS name, bool_or(is_staff) AS is_staff
        FROM (SELECT email, first_name, false AS is_staff FROM customer
              UNION ALL SELECT email, first_name, true FROM staff) AS both_kinds
        GROUP BY email
    - table: public.rentals
      from:
        rental: rental_id
        inventory: SELECT r.rental_id FROM rental r WHERE r.inventory_id = inventory.inventory_id
        customer: SELECT r.rental_id FROM rental r WHERE r.customer_id = customer.customer_id
      select: |
        SELECT r.rental_id AS id, i.film_id, c.email, r.rented, r.returned
        FROM rental r JOIN inventory i USING (inventory_id) JOIN customer c USING (customer_id)
    - {table: public.payments, copy: payment, set: {id: payment_id, cents: (amount * 100)::int},
       drop: [payment_id, amount]}
  ignore: [film]
  mirror_indexes: {rental: [inventory_id, customer_id]}
"""
KEYS = {
    "bigint": ("bigint", "", "i"),
    "domain": ("account_number", "CREATE DOMAIN account_number AS bigint CHECK (VALUE > 0);", "i"),
    "enum": ("kind", "CREATE TYPE kind AS ENUM ('a', 'b');", "(CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END)::kind"),
    "char": ("char(12)", "", "i::text"),
    "numeric": ("numeric", "", "i"),
    "citext": ("citext", "CREATE EXTENSION citext;", "'Key' || i"),
}


class Growth:
    def keys(self):
        """A column of the key of each type beside an integer; one transaction changes every row."""
        rows, took = 20_000, {}
        for kind, (of_type, ddl, value) in KEYS.items():
            old, new, _ = self.databases(f"keys_{kind}")
            table = f"{ddl} CREATE TABLE t (k {of_type}, n int, v int NOT NULL, PRIMARY KEY (k, n));"
            self.old.sql(old, table + f"INSERT INTO t SELECT {value}, i, 0 "
                                      f"FROM generate_series(1, {rows}) i; ANALYZE")
            self.new.sql(new, table)
            ours = self.migration(self, f"keys_{kind}", old, new,
                                  "forward: [{table: public.t, copy: t}]\n")
            ours.start()
            ours.await_streaming()
            ours.stop()
            self.old.sql(old, "BEGIN; UPDATE t SET v = 1; DELETE FROM t WHERE n % 10 = 0;"
                              f"INSERT INTO t SELECT {value}, i, 2 FROM generate_series("
                              f"{rows + 1}, {rows + rows // 10}) i; COMMIT")
            took[kind] = self.timed(ours.start, lambda: self.new.ask(
                new, f"SELECT 1 FROM t WHERE n = {rows + 1}"), lambda: ours.processes)
            ours.stop()
            if kind == "bigint":
                continue
            ratio = took[kind] / took["bigint"]
            print(f"keys           {kind} {took[kind]:.2f} s, bigint {took['bigint']:.2f} s, "
                  f"{ratio:.2f} times (at most 3)", flush=True)
            self.results.append((f"keys, {kind}", f"{took[kind]:.2f} s",
                                 f"{took['bigint']:.2f} s (bigint)", f"{ratio:.2f}×", "≤ 3×", ""))

    def batch_sizes(self):
        changes, took = 200_000, {}
        old, new, _ = self.databases("batch_sizes")
        self.old.sql(old, FILM_OLD)
        self.new.sql(new, FILM_NEW)
        ours = self.migration(self, "batch_sizes", old, new, FILM_MAPPING)
        ours.start()
        ours.await_streaming()
        ours.stop()
        with open(ours.path) as page:
            text = page.read()
        for turn, batch_rows in enumerate((50_000, 1_000, 10_000, 50_000, 200_000), start=1):
            with open(ours.path, "w") as page:
                page.write(f"{text}\nreplay: {{batch_rows: {batch_rows}}}\n")
            self.old.sql(old, f"CALL mixed({changes}, {turn})")
            self.old.sql(old, f"INSERT INTO payment VALUES ({-turn}, 1, 1)")
            took[batch_rows] = self.timed(ours.start, lambda: self.new.ask(
                new, f"SELECT 1 FROM payments WHERE id = {-turn}"), lambda: ours.processes)
            ours.stop()
        shown = ", ".join(f"{rows:,}: {changes / took[rows]:,.0f}/s" for rows in sorted(took))
        spread = max(took.values()) / min(took.values())
        print(f"batch_sizes    {shown}; slowest {spread:.2f} times the fastest (at most 1.5)",
              flush=True)
        self.results.append(("batch_rows 1,000 to 200,000", shown, "", f"{spread:.2f}×", "≤ 1.5×",
                             ""))

    def recopy(self):
        """Both of 1.5 million rows; while it is copied again the other table takes writes."""
        old, new, alone = self.databases("recopy")
        rows = 1_500_000
        self.old.sql(old, TABLES + ROWS + f"INSERT INTO orders SELECT i, i, 1, 'open', '2025-01-01' "
                                          f"FROM generate_series(100001, {rows}) i; ANALYZE")
        for database in (new, alone):
            self.new.sql(database, TABLES)
        one = self.migration(self, "alone", old, alone,
                             "forward:\n  tables: [{table: public.orders, copy: orders}]\n"
                             "  ignore: [accounts]\n")
        peer_s = self.timed(one.start, lambda: one.state() == "streaming", lambda: one.processes)
        one.stop()
        ours = self.migration(self, "recopy", old, new, SAME_MAPPING)
        ours.start()
        ours.await_streaming()

        def swapped():
            self.old.ask(old, "UPDATE accounts SET balance = balance + 1 WHERE id < 20 RETURNING id")
            time.sleep(0.05)
            return not self.new.ask(new, "SELECT 1 FROM switchyard.request WHERE state = 'open'")

        def again():
            ours.ask("recopy", ours.path, "orders")

        ours_s = self.timed(again, swapped, lambda: ours.processes)
        ours.stop()
        ratio = ours_s / peer_s
        print(f"recopy         {ours_s:.2f} s, alone {peer_s:.2f} s, {ratio:.2f} times (at most 3)",
              flush=True)
        self.results.append(("recopy of one table while streaming", f"{ours_s:.2f} s",
                             f"{peer_s:.2f} s (copied alone)", f"{ratio:.2f}×", "≤ 3×", ""))

    def start(self):
        count = 1_000
        old, new, _ = self.databases("start")
        for side, database in ((self.old, old), (self.new, new)):
            for begin in range(0, count, 200):
                side.sql(database, "".join(f"CREATE TABLE t{i} (id int PRIMARY KEY, v int);"
                                           for i in range(begin, begin + 200)))
        mapping = "forward:\n" + "".join(f"  - {{table: public.t{i}, copy: t{i}}}\n"
                                         for i in range(count))
        ours = self.migration(self, "start", old, new, mapping, roles=("capture", "replay"))
        ours.start()
        ours.await_streaming()
        stop_replay = ours.processes.pop()
        stop_replay.terminate()
        stop_replay.wait(30)
        self.old.sql(old, "INSERT INTO t7 VALUES (1, 1)")
        took = self.timed(lambda: ours.start("replay"),
                          lambda: self.new.ask(new, "SELECT 1 FROM t7 WHERE id = 1"),
                          lambda: ours.processes)
        ours.stop()
        print(f"start          replay of 1,000 tables applies after {took:.2f} s (at most 10)",
              flush=True)
        self.results.append(("start of replay, 1,000 tables", f"{took:.2f} s", "", "", "10 s", ""))
