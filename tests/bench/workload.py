"""The tables, rows, changes and mappings that most scenarios of tests/bench/run share."""
TABLES = """
CREATE TABLE accounts (id bigint PRIMARY KEY, owner text NOT NULL, balance numeric(12,2) NOT NULL,
                       note text, changed timestamptz NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, account bigint NOT NULL, amount int NOT NULL,
                     state text NOT NULL, placed timestamptz NOT NULL);
"""
ROWS = """
INSERT INTO accounts SELECT i, 'owner ' || i, i, 'note', '2025-01-01' FROM generate_series(1, 100000) i;
INSERT INTO orders SELECT i, i % 100000, i % 1000, 'open', '2025-01-01' FROM generate_series(1, 100000) i;
"""
# Ten rows a transaction: 4 inserts, 4 updates and 2 deletes, on two tables.
CHANGES = """
CREATE PROCEDURE make_changes(transactions int, base bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR t IN 21 .. transactions + 20 LOOP
    INSERT INTO orders SELECT base + t * 4 + k, (t * 7 + k) % 100000, k, 'new', '2025-02-01'
      FROM generate_series(0, 3) k;
    UPDATE accounts SET balance = balance + 1, changed = '2025-02-01'
      WHERE id IN (1 + (t * 31) % 100000, 1 + (t * 57) % 99989);
    UPDATE orders SET state = 'paid' WHERE id IN (base + t * 4, base + t * 4 - 40);
    DELETE FROM orders WHERE id IN (base + t * 4 - 81, base + t * 4 - 82);
    COMMIT;
  END LOOP;
END $$;
"""
SAME_MAPPING = """
forward:
  - {table: public.accounts, copy: accounts}
  - {table: public.orders, copy: orders}
"""
# Each transaction of OLD is one of NEW, as where the stream is up to date.
SMALL_MAPPING = "replay: {batch_rows: 10}\n" + SAME_MAPPING
SPLIT_TABLES = """
CREATE TABLE holders (id bigint PRIMARY KEY, owner text NOT NULL, note text);
CREATE TABLE balances (id bigint PRIMARY KEY, balance numeric(12,2) NOT NULL, changed timestamptz NOT NULL);
CREATE TABLE activity (account bigint PRIMARY KEY, owner text, balance numeric(12,2), orders bigint NOT NULL,
                       amount bigint);
"""
SPLIT_MAPPING = """
forward:
  - {table: public.holders, copy: accounts, drop: [balance, changed]}
  - {table: public.balances, copy: accounts, drop: [owner, note]}
  - table: public.activity
    scope: account
    from: {accounts: id, orders: account}
    select: |
      SELECT account, max(owner) AS owner, max(balance) AS balance, count(amount) AS orders,
             sum(amount) AS amount
      FROM (SELECT id AS account, owner, balance, NULL::int AS amount FROM accounts
            UNION ALL
            SELECT account, NULL, NULL, amount FROM orders) AS rows
      GROUP BY account
"""
