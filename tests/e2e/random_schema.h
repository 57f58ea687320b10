// The schemas and the mapping of random_transactions_test: people of two tables merged by e-mail,
// orders split into four tables, keys that change, unique values that are handed over, foreign
// keys, a tree, values large enough to be stored out of line.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"

namespace switchyard::testing {

inline constexpr char kRandomOld[] = R"sql(
  CREATE TABLE people_a (id int PRIMARY KEY, email text, name text, bio text,
    balance numeric(12,2) NOT NULL DEFAULT 0);
  CREATE TABLE people_b (code text PRIMARY KEY, email text NOT NULL, nickname text);
  CREATE TABLE orders (id bigint PRIMARY KEY,
    person_id int REFERENCES people_a ON UPDATE CASCADE ON DELETE SET NULL,
    state text NOT NULL, note text, tags text[] NOT NULL DEFAULT '{}',
    seq int UNIQUE DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE lines (order_id bigint REFERENCES orders ON UPDATE CASCADE ON DELETE CASCADE,
    line_no int, product text, quantity int NOT NULL, PRIMARY KEY (order_id, line_no));
  CREATE TABLE tree (id int PRIMARY KEY,
    parent_id int REFERENCES tree ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    label text UNIQUE);
  CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id int,
    payload jsonb);
  ALTER TABLE events REPLICA IDENTITY FULL;
)sql";

inline constexpr char kRandomNew[] = R"sql(
  CREATE TABLE person (email text PRIMARY KEY, ref text NOT NULL UNIQUE, names text[] NOT NULL,
    balance numeric NOT NULL, members int NOT NULL);
  CREATE TABLE orders (id bigint PRIMARY KEY,
    person_ref text REFERENCES person (ref) DEFERRABLE INITIALLY DEFERRED,
    state text NOT NULL, seq int UNIQUE);
  CREATE INDEX ON orders (person_ref);
  CREATE TABLE order_notes (order_id bigint PRIMARY KEY REFERENCES orders, note text NOT NULL);
  CREATE TABLE order_tags (order_id bigint REFERENCES orders, tag text, PRIMARY KEY (order_id, tag));
  CREATE TABLE order_totals (order_id bigint PRIMARY KEY REFERENCES orders, lines int NOT NULL,
    quantity bigint NOT NULL);
  CREATE TABLE lines (order_id bigint REFERENCES orders, line_no int, product text,
    price numeric NOT NULL, PRIMARY KEY (order_id, line_no));
  CREATE TABLE tree (id int PRIMARY KEY, parent_id int REFERENCES tree, title text UNIQUE);
  CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id int,
    payload jsonb);
)sql";

// Where the keys hold: with actions, at once or later, to one table and inside one.
inline constexpr char kRandomNewKeys[] = R"sql(
  ALTER TABLE lines DROP CONSTRAINT lines_order_id_fkey,
    ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE;
  ALTER TABLE order_tags DROP CONSTRAINT order_tags_order_id_fkey,
    ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE;
  ALTER TABLE order_totals DROP CONSTRAINT order_totals_order_id_fkey,
    ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE RESTRICT DEFERRABLE;
  ALTER TABLE orders DROP CONSTRAINT orders_seq_key, ADD UNIQUE (seq) DEFERRABLE;
)sql";

enum class Rules { kDeclared, kDerived };

// The migration file, with rules under `from` and indexes for them, or without.
inline std::string RandomMigration(Rules rules) {
  const auto declared = [&](const char* text) { return rules == Rules::kDeclared ? text : ""; };
  return absl::StrCat(R"yaml(
migration: random
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
capture: {heartbeat: 200ms}
forward:
  ignore: [people_a.bio]
)yaml",
                      declared("  mirror_indexes: {orders: [person_id]}\n"), R"yaml(
  tables:
    - table: public.person
      scope: email
)yaml",
                      declared("      from: {people_a: lower(email), people_b: lower(email)}\n"),
                      R"yaml(
      select: |
        SELECT email, coalesce('a' || min(a), 'b' || min(b)) AS ref,
               array_agg(name ORDER BY a, b) AS names, sum(balance) AS balance,
               count(*)::int AS members
        FROM (SELECT lower(email) AS email, id AS a, NULL AS b, name, balance FROM people_a
              WHERE email IS NOT NULL
              UNION ALL SELECT lower(email), NULL, code, nickname, 0 FROM people_b) members
        GROUP BY email
    - table: public.orders
)yaml",
                      declared(R"yaml(
      from:
        orders: id
        people_a: SELECT o.id FROM orders o WHERE o.person_id = people_a.id
        public.person: |
          SELECT o.id FROM people_a a JOIN orders o ON o.person_id = a.id
          WHERE lower(a.email) = person.email
)yaml"),
                      R"yaml(
      select: |
        SELECT o.id, p.ref AS person_ref, o.state, o.seq FROM orders o
        LEFT JOIN people_a a ON a.id = o.person_id
        LEFT JOIN public.person p ON p.email = lower(a.email)
    - {table: public.order_notes, copy: orders, rename: {id: order_id}, where: note IS NOT NULL,
       drop: [person_id, state, tags, seq]}
    - table: public.order_tags
      scope: order_id
)yaml",
                      declared("      from: {orders: id}\n"), R"yaml(
      select: SELECT DISTINCT id AS order_id, unnest(tags) AS tag FROM orders
    - table: public.order_totals
      scope: order_id
)yaml",
                      declared("      from: {orders: id, lines: order_id}\n"), R"yaml(
      select: |
        SELECT o.id AS order_id, count(l.order_id)::int AS lines,
               coalesce(sum(l.quantity), 0) AS quantity
        FROM orders o LEFT JOIN lines l ON l.order_id = o.id GROUP BY o.id
    - {table: public.lines, copy: lines, drop: [quantity], set: {price: quantity * 9.99}}
    - {table: public.tree, copy: tree, rename: {label: title}}
    - {table: public.events, copy: events}
)yaml");
}

}  // namespace switchyard::testing
