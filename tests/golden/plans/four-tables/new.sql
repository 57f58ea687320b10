CREATE TABLE people (email text PRIMARY KEY, orders bigint NOT NULL);
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL REFERENCES people, note text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, state text NOT NULL, total_cents bigint NOT NULL);
CREATE TABLE items (order_id int REFERENCES orders, line int, sku text NOT NULL, pieces int NOT NULL, PRIMARY KEY (order_id, line));
