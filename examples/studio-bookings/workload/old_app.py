#!/usr/bin/python3
"""The old application's users: sign-ups, logins, edits, bookings, at a steady rate.

    OLD_DSN=... old_app.py --rate 300 --seconds 20 --connections 4 --seed 1

Ends after --seconds or --transactions, or on SIGTERM or SIGINT, between two transactions, and
prints what it did as one line of JSON. With one connection and --transactions, the same seed on
the same data does the same; run it again with another seed, or the ids it makes are taken.
"""

import argparse
import json
import os
import random
import signal
import sys
import threading
import time

import psycopg2
from psycopg2 import errors

FIRST = ["Mia", "Jonas", "Ada", "Noor", "Zoë", "Luis", "Ines", "Per", "Ana", "Kai", "Омар", "由紀"]
LAST = ["Keller", "Okafor", "Larsen", "Moreau", "Núñez", "O'Brien", "Tanaka", "Silva", "Berg"]
SERVICES = ["Portrait", "Recording", "Rehearsal", "Yoga", "Podcast"]
CITIES = ["Berlin", "London", "Málaga", "Oslo", None]


class NothingToDo(Exception):
    """The operation found no row that fits; nothing was changed."""


class Visitor:
    """One connection's worth of people clicking."""

    def __init__(self, cursor, rng):
        self.db = cursor
        self.rng = rng
        self.merged = []  # (table, id) of rows this visitor gave somebody else's e-mail

    # -- helpers ----------------------------------------------------------------------------

    def new_id(self):
        return "c%024x" % self.rng.getrandbits(96)

    def one(self, sql, *args):
        self.db.execute(sql, args)
        row = self.db.fetchone()
        if row is None:
            raise NothingToDo
        return row

    def any_of(self, table, columns="id", where="true"):
        """A row at a random place in the order of the primary key."""
        start = self.new_id()
        sql = "SELECT %s FROM %s WHERE id %s %%s AND %s ORDER BY id %s LIMIT 1"
        self.db.execute(sql % (columns, table, ">=", where, "ASC"), (start,))
        row = self.db.fetchone()
        return row or self.one(sql % (columns, table, "<", where, "DESC"), start)

    def name(self):
        if self.rng.random() < 0.05:
            return self.rng.choice([None, "", "  "])
        return self.rng.choice(FIRST) + " " + self.rng.choice(LAST)

    def phone(self):
        return self.rng.choice([None, "", "+44 20 %07d" % self.rng.randrange(10**7)])

    def password(self):
        return "$2b$10$%032x" % self.rng.getrandbits(128)

    def fresh_email(self):
        return "%s.%016x@fresh.example" % (
            self.rng.choice(["ann", "Bob", "cy"]), self.rng.getrandbits(64))

    def respelled(self, email):
        return self.rng.choice([email, email.upper(), email.lower(), " " + email + " ", email.title()])

    def known_email(self):
        table = self.rng.choice(["customers", "customers", "studio_owners"])
        return self.any_of(table, "email")[0]

    def guest_email(self):
        guest = "customer_id IS NULL AND customer_email <> ''"
        return self.any_of("bookings", "customer_email", guest)[0]

    # -- operations: each is one transaction --------------------------------------------------

    def customer_signs_up(self):
        email = self.fresh_email()
        if self.rng.random() < 0.05:
            email = self.respelled(self.any_of("studio_owners", "email")[0])
        self.add_customer(self.new_id(), email)

    def guest_signs_up(self):
        self.add_customer(self.new_id(), self.respelled(self.guest_email()))

    def add_customer(self, customer, email):
        self.db.execute(
            "INSERT INTO customers (id, email, name, phone, password_hash)"
            " VALUES (%s, %s, %s, %s, %s)",
            (customer, email, self.name(), self.phone(), self.password()))

    def owner_signs_up(self):
        email = self.fresh_email()
        if self.rng.random() < 0.05:
            email = self.respelled(self.any_of("customers", "email")[0])
        owner = self.new_id()
        google = self.rng.random() < 0.3
        self.db.execute(
            "INSERT INTO studio_owners (id, email, name, phone, password_hash, email_verified_at)"
            " VALUES (%s, %s, %s, %s, %s, CASE WHEN %s THEN now() END)",
            (owner, email, self.name(), self.phone(), None if google else self.password(), google))
        if google:
            self.db.execute(
                "INSERT INTO accounts (id, user_id, type, provider, provider_account_id,"
                " access_token) VALUES (%s, %s, 'oauth', 'google', %s, %s)",
                (self.new_id(), owner, "%020x" % self.rng.getrandbits(80), self.password()))

    def owner_logs_in(self):
        owner = self.any_of("studio_owners")[0]
        self.db.execute(
            "INSERT INTO sessions (id, session_token, user_id, expires)"
            " VALUES (%s, %s, %s, now() + interval '30 days')",
            (self.new_id(), "%032x" % self.rng.getrandbits(128), owner))

    def owner_logs_out(self):
        self.db.execute("DELETE FROM sessions WHERE id = %s", self.any_of("sessions"))

    def profile_edit(self):
        table = self.rng.choice(["studio_owners", "customers", "customers"])
        (row,) = self.any_of(table)
        column, value = self.rng.choice([
            ("name", self.name()), ("phone", self.phone()), ("password_hash", self.password())])
        self.db.execute(f"UPDATE {table} SET {column} = %s, updated_at = now() WHERE id = %s",
                        (value, row))

    def set_email(self, table, row, email):
        self.db.execute(f"UPDATE {table} SET email = %s, updated_at = now() WHERE id = %s",
                        (email, row))

    def email_rename(self):
        table = self.rng.choice(["studio_owners", "customers", "customers"])
        self.set_email(table, self.any_of(table)[0], self.fresh_email())

    def email_respell(self):
        table = self.rng.choice(["studio_owners", "customers"])
        row, email = self.any_of(table, "id, email")
        self.set_email(table, row, self.respelled(email))

    def email_merge(self):
        table = self.rng.choice(["studio_owners", "customers"])
        (row,) = self.any_of(table)
        email = self.rng.choice([self.known_email, self.known_email, self.guest_email])()
        self.set_email(table, row, self.respelled(email))
        self.merged.append((table, row))

    def email_split(self):
        if not self.merged:
            raise NothingToDo
        table, row = self.merged.pop(self.rng.randrange(len(self.merged)))
        self.set_email(table, row, self.fresh_email())

    def email_swap(self):
        """Two customers trade addresses, by way of a third one, in one transaction."""
        first, first_email = self.any_of("customers", "id, email")
        second, second_email = self.any_of("customers", "id, email")
        if first == second:
            raise NothingToDo
        self.set_email("customers", first, self.fresh_email())
        self.set_email("customers", second, first_email)
        self.set_email("customers", first, second_email)

    def studio_is_made(self):
        owner = self.any_of("studio_owners")[0]
        studio = self.new_id()
        self.db.execute(
            "INSERT INTO studios (id, owner_id, name, slug, city) VALUES (%s, %s, %s, %s, %s)",
            (studio, owner, "Studio " + self.rng.choice(LAST), "studio-" + studio,
             self.rng.choice(CITIES)))

    def studio_changes_hands(self):
        self.db.execute("UPDATE studios SET owner_id = %s, updated_at = now() WHERE id = %s",
                        (self.any_of("studio_owners")[0], self.any_of("studios")[0]))

    def studio_edit(self):
        self.db.execute("UPDATE studios SET city = %s, updated_at = now() WHERE id = %s",
                        (self.rng.choice(CITIES), self.any_of("studios")[0]))

    def add_booking(self, customer, name, email):
        message = None if self.rng.random() < 0.3 else "please " * self.rng.randrange(1, 60)
        self.db.execute(
            "INSERT INTO bookings (id, studio_id, customer_id, customer_name, customer_email,"
            " customer_phone, service, starts_at, duration_min, message)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, now() + %s * interval '1 hour', %s, %s)",
            (self.new_id(), self.any_of("studios")[0], customer, name or "Guest", email,
             self.phone(), self.rng.choice(SERVICES), self.rng.randrange(2000),
             self.rng.choice([30, 60, 90]), message))

    def customer_books(self):
        customer, name, email = self.any_of("customers", "id, name, email")
        self.add_booking(customer, name, email if self.rng.random() < 0.95 else self.fresh_email())

    def guest_books(self):
        kind = self.rng.random()
        if kind < 0.3:
            email = self.fresh_email()
        elif kind < 0.6:
            email = self.respelled(self.known_email())
        elif kind < 0.9:
            email = self.respelled(self.guest_email())
        else:
            email = self.rng.choice(["", " ", "no address"])
        self.add_booking(None, self.name(), email)

    def new_customer_books(self):
        customer, email = self.new_id(), self.fresh_email()
        self.add_customer(customer, email)
        self.add_booking(customer, "New Customer", email)

    def booking_status(self):
        self.db.execute("UPDATE bookings SET status = %s, updated_at = now() WHERE id = %s",
                        (self.rng.choice(["CONFIRMED", "CANCELLED", "COMPLETED"]),
                         self.any_of("bookings")[0]))

    def booking_moves(self):
        (booking,) = self.any_of("bookings")
        self.db.execute("UPDATE bookings SET starts_at = starts_at + interval '1 day'"
                        " WHERE id = %s", (booking,))
        self.db.execute("UPDATE bookings SET updated_at = now() WHERE id = %s", (booking,))

    def booking_is_deleted(self):
        self.db.execute("DELETE FROM bookings WHERE id = %s", self.any_of("bookings"))

    def guest_booking_is_claimed(self):
        """A guest booking is given to the customer it turned out to be from."""
        booking = self.any_of("bookings", "id", "customer_id IS NULL")[0]
        self.db.execute("UPDATE bookings SET customer_id = %s, updated_at = now() WHERE id = %s",
                        (self.any_of("customers")[0], booking))

    def customer_is_deleted(self):
        self.db.execute("DELETE FROM customers WHERE id = %s", self.any_of("customers"))

    def customer_comes_back(self):
        """The support desk restores a deleted customer under the old id."""
        customer = self.one(
            "SELECT b.customer_id FROM bookings b"
            " WHERE b.id >= %s AND b.customer_id IS NOT NULL"
            " AND NOT EXISTS (SELECT FROM customers c WHERE c.id = b.customer_id) LIMIT 1",
            self.new_id())[0]
        self.add_customer(customer, self.fresh_email())

    def owner_is_deleted(self):
        """Sessions and OAuth links go along; owners of a studio stay."""
        (owner,) = self.any_of("studio_owners", "id",
                               "NOT EXISTS (SELECT FROM studios s"
                               " WHERE s.owner_id = studio_owners.id)")
        self.db.execute("DELETE FROM studio_owners WHERE id = %s", (owner,))


# How often each operation is chosen, of about 100.
WEIGHTS = {
    "customer_signs_up": 7, "guest_signs_up": 3, "owner_signs_up": 3, "owner_logs_in": 12,
    "owner_logs_out": 3, "profile_edit": 10, "email_rename": 2, "email_respell": 1, "email_merge": 2,
    "email_split": 2, "email_swap": 1, "studio_is_made": 2, "studio_changes_hands": 1,
    "studio_edit": 1, "customer_books": 17, "guest_books": 8, "new_customer_books": 2,
    "booking_status": 14, "booking_moves": 3, "booking_is_deleted": 1,
    "guest_booking_is_claimed": 1, "customer_is_deleted": 2, "customer_comes_back": 1,
    "owner_is_deleted": 1,
}
ROLLED_BACK = 0.01  # share of transactions given up at the end


class Counts:
    """What all connections did."""

    def __init__(self):
        self.lock = threading.Lock()
        self.operations = {name: 0 for name in WEIGHTS}
        self.committed = 0
        self.other = {"nothing_to_do": 0, "refused": 0, "conflicts": 0, "rolled_back": 0}
        self.failures = []

    def commit(self, name):
        with self.lock:
            self.operations[name] += 1
            self.committed += 1

    def add(self, what):
        with self.lock:
            self.other[what] += 1


def run_one(connection, visitor, name, counts):
    try:
        getattr(visitor, name)()
        if visitor.rng.random() < ROLLED_BACK:
            connection.rollback()
            return counts.add("rolled_back")
        connection.commit()
        counts.commit(name)
    except NothingToDo:
        connection.rollback()
        counts.add("nothing_to_do")
    except (errors.UniqueViolation, errors.ForeignKeyViolation):
        connection.rollback()
        counts.add("refused")
    except (errors.DeadlockDetected, errors.SerializationFailure):
        connection.rollback()
        counts.add("conflicts")


def work(args, index, stop, counts, started):
    try:
        connection = psycopg2.connect(args.dsn, application_name="studio bookings, old app")
        rng = random.Random("%d/%d" % (args.seed, index))
        visitor = Visitor(connection.cursor(), rng)
        share, more = divmod(args.transactions, args.connections)
        share += index < more
        done = 0
        while not stop.is_set() and (args.transactions == 0 or done < share):
            if args.rate > 0:
                due = started + (done + index / args.connections) * args.connections / args.rate
                if stop.wait(max(0, due - time.monotonic())):
                    break
            (name,) = rng.choices(list(WEIGHTS), WEIGHTS.values())
            run_one(connection, visitor, name, counts)
            done += 1
        connection.close()
    except psycopg2.Error as error:
        with counts.lock:
            counts.failures.append(str(error).strip())
        stop.set()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dsn", default=os.environ.get("OLD_DSN"), help="default: $OLD_DSN")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0,
                        help="transactions/s in all; 0: as fast as it goes")
    parser.add_argument("--seconds", type=float, default=0, help="0: no limit")
    parser.add_argument("--transactions", type=int, default=0,
                        help="attempted, in all; 0: no limit")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not args.dsn:
        parser.error("no --dsn, and OLD_DSN is not set")
    return args


def main():
    args = parse_arguments()
    counts, stop, started = Counts(), threading.Event(), time.monotonic()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threads = [threading.Thread(target=work, args=(args, i, stop, counts, started))
               for i in range(args.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # with a time-out, so that signals get through
            thread.join(0.1)
            if args.seconds and time.monotonic() - started >= args.seconds:
                stop.set()
    seconds = time.monotonic() - started
    print(json.dumps({
        "seconds": round(seconds, 2), "transactions": counts.committed,
        "per_second": round(counts.committed / seconds, 1), **counts.other,
        "operations": counts.operations}))
    for failure in counts.failures:
        print("old_app.py: " + failure, file=sys.stderr)
    return 3 if counts.failures else 0


if __name__ == "__main__":
    sys.exit(main())
