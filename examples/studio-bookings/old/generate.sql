-- Fills OLD with made-up people, studios and bookings: the same bytes each run.
--
--   psql -d old -v scale=10 -v nasty=1 -f old/schema.sql -f old/generate.sql
--
-- scale K (default 1) makes K blocks of 42 owners, 158 customers, 47 studios, 312 bookings,
-- 20 accounts and 30 sessions. In each block two customers share an owner's e-mail (one exactly,
-- one in other case), and the e-mail of each of the 32 guests folds to a customer's, so a block
-- adds exactly 198 people. nasty=1 adds a fixed set of hard cases, described below: 13 people.
-- Below scale 10 a booking's message is about 4 kB, from there on about 200 bytes.
\set ON_ERROR_STOP on
\if :{?scale}
\else
  \set scale 1
\endif
\if :{?nasty}
\else
  \set nasty 0
\endif

BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';

CREATE FUNCTION pg_temp.cuid(kind text, n int) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN 'c' || substr(md5(kind || ':' || n::text), 1, 24);
-- Rows of one kind: number from 1, id, 16 random bytes in hex and plain, block from 0, place in it
-- from 1.
CREATE FUNCTION pg_temp.seeds(kind text, per_block int, blocks int)
RETURNS TABLE (n int, id text, h text, r bytea, block int, i int) LANGUAGE sql AS $$
  SELECT n, pg_temp.cuid(kind, n), h, decode(h, 'hex'), (n - 1) / per_block, (n - 1) % per_block + 1
  FROM (SELECT n, md5(kind || '/' || n::text) h FROM generate_series(1, per_block * blocks) n OFFSET 0) s
$$;
-- A number in [0, below), made of the three bytes of r from `place` on, which is at most 13.
CREATE FUNCTION pg_temp.pick(r bytea, place int, below int) RETURNS int LANGUAGE sql IMMUTABLE
  RETURN ((get_byte(r, place) << 16) + (get_byte(r, place + 1) << 8) + get_byte(r, place + 2)) % below;
-- One person in forty has no name, one a blank one.
CREATE FUNCTION pg_temp.person_name(r bytea) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN CASE pg_temp.pick(r, 0, 40)
    WHEN 0 THEN NULL
    WHEN 1 THEN '  '
    ELSE (ARRAY['Mia', 'Jonas', 'Ada', 'Noor', 'Zoë', 'Luis', 'Ines', 'Per', 'Ana', 'Tomás', 'Kai',
                'Lena', 'Omar', 'Ruth', 'Siobhán', 'Yuki'])[1 + pg_temp.pick(r, 1, 16)]
      || (ARRAY[' Keller', ' Okafor', ' Larsen', ' Moreau', ' Núñez', ' Haddad', ' Weber', ' Rossi',
                ' Novak', ' O''Brien', ' Tanaka', ' Silva', ' Berg'])[1 + pg_temp.pick(r, 3, 13)]
  END;
CREATE FUNCTION pg_temp.phone(r bytea) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN CASE pg_temp.pick(r, 4, 10)
    WHEN 0 THEN NULL WHEN 1 THEN NULL WHEN 2 THEN ''
    ELSE '+44 20 ' || (7000000 + pg_temp.pick(r, 4, 1000000))::text
  END;
-- Before 2025-01-01, by up to 190 days.
CREATE FUNCTION pg_temp.past(r bytea) RETURNS timestamptz LANGUAGE sql IMMUTABLE
  RETURN to_timestamp(1735689600 - pg_temp.pick(r, 7, 16416000));
-- Up to 30 days after something.
CREATE FUNCTION pg_temp.later(r bytea) RETURNS interval LANGUAGE sql IMMUTABLE
  RETURN pg_temp.pick(r, 9, 2592000) * interval '1 second';
CREATE FUNCTION pg_temp.password(h text) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN '$2b$10$' || md5(h) || substr(h, 1, 21);

-- 42 owners a block. Every fifth typed the e-mail with capitals; three in ten use Google only.
INSERT INTO studio_owners
SELECT id,
       CASE WHEN n % 5 = 0 THEN 'Owner.' || n || '@Studio-Mail.example'
            ELSE 'owner.' || n || '@studio-mail.example' END,
       pg_temp.person_name(r), pg_temp.phone(r),
       CASE WHEN pg_temp.pick(r, 10, 10) >= 3 THEN pg_temp.password(h) END,
       CASE WHEN pg_temp.pick(r, 11, 5) > 0 THEN pg_temp.past(r) + interval '1 hour' END,
       CASE WHEN n % 2 = 0 THEN 'https://images.example/' || h || '.jpg' END,
       pg_temp.past(r), pg_temp.past(r) + pg_temp.later(r)
FROM pg_temp.seeds('owner', 42, :scale);

-- 158 customers a block. #1 has the e-mail of owner #10 exactly, #2 that of owner #20 in capitals.
INSERT INTO customers
SELECT s.id,
       CASE WHEN i = 1 THEN o.email
            WHEN i = 2 THEN upper(o.email)
            WHEN n % 7 = 0 THEN 'Customer.' || n || '@Post.example'
            ELSE 'customer.' || n || '@post.example' END,
       pg_temp.person_name(r), pg_temp.phone(r), pg_temp.password(h),
       pg_temp.past(r), pg_temp.past(r) + pg_temp.later(r)
FROM pg_temp.seeds('customer', 158, :scale) s
LEFT JOIN studio_owners o ON i <= 2 AND o.id = pg_temp.cuid('owner', block * 42 + i * 10);

-- 47 studios a block: owner #1 has four, #2 to #4 two each, #5 to #41 one, #42 none.
INSERT INTO studios
SELECT s.id, o.id, 'Studio ' || coalesce(nullif(btrim(o.name), ''), 'Nameless') || ' ' || n,
       'studio-' || n, (ARRAY['Berlin', 'London', 'Málaga', 'Oslo', NULL])[1 + n % 5],
       o.created_at + interval '2 days', o.created_at + interval '2 days' + pg_temp.later(r)
FROM pg_temp.seeds('studio', 47, :scale) s
JOIN studio_owners o ON o.id = pg_temp.cuid('owner', block * 42
  + CASE WHEN i <= 4 THEN 1 WHEN i <= 10 THEN (i - 1) / 2 ELSE i - 6 END);

-- The largest table is loaded bare, which takes half the time.
ALTER TABLE bookings DROP CONSTRAINT bookings_pkey, DROP CONSTRAINT bookings_studio_id_fkey;
DROP INDEX bookings_customer_id_idx, bookings_studio_id_idx;

-- 312 bookings a block. #1 to #280 by a signed-in customer, one in 25 of them with an e-mail that
-- nobody else has; #281 to #312 by guests with a customer's e-mail, the first 8 in capitals.
INSERT INTO bookings
SELECT s.id, pg_temp.cuid('studio', block * 47 + 1 + pg_temp.pick(r, 0, 47)),
       CASE WHEN i <= 280 THEN c.id END,
       coalesce(nullif(btrim(c.name), ''), 'Guest ' || n),
       CASE WHEN i <= 280 AND n % 25 = 0 THEN 'office.' || n || '@work.example'
            WHEN i BETWEEN 281 AND 288 THEN upper(c.email)
            ELSE c.email END,
       pg_temp.phone(r),
       (ARRAY['Portrait', 'Recording', 'Rehearsal', 'Yoga', 'Podcast'])[1 + n % 5],
       timestamptz '2024-12-01 08:00:00+00' + pg_temp.pick(r, 2, 5184) * interval '15 minutes',
       (ARRAY[30, 60, 60, 90, 120])[1 + pg_temp.pick(r, 10, 5)],
       (ARRAY['PENDING', 'CONFIRMED', 'CONFIRMED', 'CANCELLED', 'COMPLETED'])[1 + pg_temp.pick(r, 11, 5)],
       CASE WHEN :scale < 10
            THEN (SELECT left(string_agg(md5(h || part), ' ' ORDER BY part), 2000 + pg_temp.pick(r, 12, 4193))
                  FROM generate_series(1, 190) part)
            ELSE left(repeat(h || ' ', 10), 100 + pg_temp.pick(r, 12, 201))
       END,
       greatest(pg_temp.past(r), c.created_at),
       greatest(pg_temp.past(r), c.created_at) + pg_temp.later(r)
FROM pg_temp.seeds('booking', 312, :scale) s
JOIN customers c ON c.id = pg_temp.cuid('customer', block * 158 + 3 + pg_temp.pick(r, 13, 156));

ALTER TABLE bookings ADD PRIMARY KEY (id), ADD FOREIGN KEY (studio_id) REFERENCES studios;
CREATE INDEX bookings_customer_id_idx ON bookings (customer_id);
CREATE INDEX bookings_studio_id_idx ON bookings (studio_id);

-- 20 Google links a block, of owners #1 to #20.
INSERT INTO accounts
SELECT id, pg_temp.cuid('owner', block * 42 + i), 'oauth', 'google', (100000000000 + n)::text,
       md5(h), h || md5(h || 'access'), NULL, 'bearer', 'openid email profile', NULL,
       1735689600 + n % 86400
FROM pg_temp.seeds('account', 20, :scale);

-- 30 sessions a block, of owners #1 to #30; those of #1 to #10 ran out before 2025-01-01.
INSERT INTO sessions
SELECT id, h || md5(h), pg_temp.cuid('owner', block * 42 + i),
       timestamptz '2025-01-01 00:00:00+00'
         + CASE WHEN i <= 10 THEN -1 ELSE 1 END * (interval '1 second' + pg_temp.later(r))
FROM pg_temp.seeds('session', 30, :scale);

\if :nasty
-- The hard cases: 6 owners, 8 customers, 2 studios, 8 bookings, an account and a session.
INSERT INTO studio_owners VALUES
  -- b: one owner, two customers, one person.
  ('cnastyowner00000000000b', 'bianca@nasty.example', 'Bianca', NULL, '$2b$10$owner-b', NULL, NULL,
   '2024-03-01 10:00:00+00', '2024-03-02 10:00:00+00'),
  -- c: two owners equal but for case. The older row is the base, the other loses; both have a
  -- studio, the loser an account and a session.
  ('cnastyowner0000000000c1', 'carla@nasty.example', 'Carla', '+44 20 7000001', '$2b$10$owner-c1',
   '2024-01-05 00:00:00+00', 'https://images.example/carla.jpg',
   '2024-01-04 10:00:00+00', '2024-02-01 10:00:00+00'),
  ('cnastyowner0000000000c2', 'CARLA@nasty.example', 'Carla Two', '+44 20 7000002', '$2b$10$owner-c2',
   '2024-06-05 00:00:00+00', NULL, '2024-06-04 10:00:00+00', '2024-07-01 10:00:00+00'),
  -- d: the id of a customer, who is somebody else.
  ('cnastytwin0000000000000', 'dora@nasty.example', 'Dora', NULL, '$2b$10$owner-d', NULL, NULL,
   '2024-05-01 10:00:00+00', '2024-05-01 10:00:00+00'),
  -- j: owns no studio, has no name and an empty phone.
  ('cnastyowner00000000000j', 'jo@nasty.example', NULL, '', '$2b$10$owner-j', NULL, NULL,
   '2024-05-02 10:00:00+00', '2024-05-02 10:00:00+00'),
  -- k: Google only. The customer of the same e-mail has a password, which the user must not get.
  ('cnastyowner00000000000k', 'kim@nasty.example', 'Kim', NULL, NULL, '2024-05-03 11:00:00+00', NULL,
   '2024-05-03 10:00:00+00', '2024-05-03 10:00:00+00');

INSERT INTO customers VALUES
  -- a: equal but for case, and of the same age: the smaller id is the base.
  ('cnastycustomer00000000a1', 'alex@nasty.example', NULL, '+44 20 7000003', '$2b$10$customer-a1',
   '2024-04-01 10:00:00+00', '2024-04-01 10:00:00+00'),
  ('cnastycustomer00000000a2', 'Alex@Nasty.example', 'Alex', '+44 20 7000004', '$2b$10$customer-a2',
   '2024-04-01 10:00:00+00', '2024-04-03 10:00:00+00'),
  -- b: both older than their owner row, which is the base all the same.
  ('cnastycustomer00000000b1', 'BIANCA@NASTY.EXAMPLE', 'B. One', '+44 20 7000005', '$2b$10$customer-b1',
   '2024-01-01 10:00:00+00', '2024-08-01 10:00:00+00'),
  ('cnastycustomer00000000b2', '  bianca@nasty.example ', 'B. Two', '+44 20 7000006', '$2b$10$customer-b2',
   '2024-02-01 10:00:00+00', '2024-02-01 10:00:00+00'),
  ('cnastytwin0000000000000', 'dora.else@nasty.example', 'Dora Else', NULL, '$2b$10$customer-d',
   '2024-04-04 10:00:00+00', '2024-04-04 10:00:00+00'),
  -- i: not ASCII, so folding leaves the case and these stay two; an emoji and a right-to-left name.
  ('cnastycustomer00000000i1', 'Ünal@nasty.example', 'Ünal 🎸🎶', NULL, '$2b$10$customer-i1',
   '2024-04-05 10:00:00+00', '2024-04-05 10:00:00+00'),
  ('cnastycustomer00000000i2', 'ünal@nasty.example', 'أونال الأصغر', NULL, '$2b$10$customer-i2',
   '2024-04-06 10:00:00+00', '2024-04-06 10:00:00+00'),
  ('cnastycustomer000000000k', 'kim@nasty.example', 'Kim', NULL, '$2b$10$customer-k',
   '2024-04-07 10:00:00+00', '2024-04-07 10:00:00+00');

INSERT INTO studios VALUES
  ('cnastystudio000000000c1', 'cnastyowner0000000000c1', 'Carla One', 'nasty-carla-one', 'Graz',
   '2024-01-06 10:00:00+00', '2024-01-06 10:00:00+00'),
  ('cnastystudio000000000c2', 'cnastyowner0000000000c2', 'Carla Two', 'nasty-carla-two', NULL,
   '2024-06-06 10:00:00+00', '2024-06-06 10:00:00+00');

INSERT INTO bookings
SELECT id, 'cnastystudio000000000c1', customer_id, name, email, phone, 'Portrait',
       '2025-01-10 09:00:00+00', 60, 'PENDING', 'nasty ' || id, created_at, created_at
FROM (VALUES
  -- e: two spellings of one unknown address, and one other.
  ('cnastybooking00000000e1', NULL, 'Eve', 'eve@unknown.example', '+44 20 7000007', timestamptz '2024-09-01 10:00:00+00'),
  ('cnastybooking00000000e2', NULL, 'Eve Again', ' EVE@unknown.example', '+44 20 7000008', '2024-09-02 10:00:00+00'),
  ('cnastybooking00000000e3', NULL, 'Not Eve', 'not.eve@unknown.example', NULL, '2024-09-03 10:00:00+00'),
  -- f: no e-mail at all.
  ('cnastybooking000000000f', NULL, 'Walk-in', '', NULL, '2024-09-04 10:00:00+00'),
  -- g: customers who are gone; the first has a known customer's e-mail, the second is unknown.
  ('cnastybooking00000000g1', 'cnastydeleted00000000g1', 'Gone One',
   (SELECT upper(email) FROM customers WHERE id = pg_temp.cuid('customer', 5)), NULL, '2024-09-05 10:00:00+00'),
  ('cnastybooking00000000g2', 'cnastydeleted00000000g2', 'Gone Two', 'gone.two@unknown.example', NULL, '2024-09-06 10:00:00+00'),
  -- h: a guest with the e-mail of an owner who is no customer.
  ('cnastybooking000000000h', NULL, 'Owner as guest',
   (SELECT email FROM studio_owners WHERE id = pg_temp.cuid('owner', 5)), NULL, '2024-09-07 10:00:00+00'),
  -- l: a booking of the customer who lost in a.
  ('cnastybooking000000000l', 'cnastycustomer00000000a2', 'Alex', 'Alex@Nasty.example', NULL, '2024-09-08 10:00:00+00')
) b(id, customer_id, name, email, phone, created_at);

INSERT INTO accounts VALUES
  ('cnastyaccount0000000000c', 'cnastyowner0000000000c2', 'oauth', 'google', 'nasty-carla-two',
   NULL, 'token-c2', NULL, 'bearer', NULL, NULL, 1735689600);
INSERT INTO sessions VALUES
  ('cnastysession0000000000c', 'nasty-session-c2', 'cnastyowner0000000000c2', '2025-02-01 00:00:00+00');
\endif

COMMIT;
ANALYZE studio_owners, customers, studios, bookings, accounts, sessions;
