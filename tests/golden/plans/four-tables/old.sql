CREATE TYPE state AS ENUM ('open', 'paid');
CREATE TABLE customers (id int PRIMARY KEY, email varchar(80) NOT NULL, note text);
CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, state state NOT NULL, total numeric(12, 2) NOT NULL);
CREATE TABLE items (order_id int REFERENCES orders, line int, sku text NOT NULL, pieces int NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE logins (id bigint PRIMARY KEY, email text NOT NULL);
