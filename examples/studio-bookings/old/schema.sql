-- OLD: a studio booking site with two separate kinds of people, each with its own login.
-- Ids are CUID text. bookings.customer_id has no foreign key, so deleted customers leave dangling
-- values; NULL means a guest booked.
SET client_min_messages = warning;

CREATE TABLE studio_owners (
  id                text PRIMARY KEY,
  email             text NOT NULL UNIQUE,
  name              text,
  phone             text,
  password_hash     text,  -- NULL: signs in with Google only
  email_verified_at timestamptz,
  image_url         text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE customers (
  id            text PRIMARY KEY,
  email         text NOT NULL UNIQUE,
  name          text,
  phone         text,
  password_hash text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE studios (
  id         text PRIMARY KEY,
  owner_id   text NOT NULL REFERENCES studio_owners,
  name       text NOT NULL,
  slug       text NOT NULL UNIQUE,
  city       text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bookings (
  id             text PRIMARY KEY,
  studio_id      text NOT NULL REFERENCES studios,
  customer_id    text,
  customer_name  text NOT NULL,
  customer_email text NOT NULL,
  customer_phone text,
  service        text NOT NULL,
  starts_at      timestamptz NOT NULL,
  duration_min   int NOT NULL DEFAULT 60 CHECK (duration_min > 0),
  status         text NOT NULL DEFAULT 'PENDING'
                 CHECK (status IN ('PENDING', 'CONFIRMED', 'CANCELLED', 'COMPLETED')),
  message        text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX bookings_customer_id_idx ON bookings (customer_id);
CREATE INDEX bookings_studio_id_idx ON bookings (studio_id);

-- OAuth links of owners.
CREATE TABLE accounts (
  id                  text PRIMARY KEY,
  user_id             text NOT NULL REFERENCES studio_owners ON DELETE CASCADE,
  type                text NOT NULL,
  provider            text NOT NULL,
  provider_account_id text NOT NULL,
  refresh_token       text,
  access_token        text,
  id_token            text,
  token_type          text,
  scope               text,
  session_state       text,
  expires_at          bigint,  -- Unix seconds
  UNIQUE (provider, provider_account_id)
);

-- Login sessions of owners; customers carry a stateless cookie.
CREATE TABLE sessions (
  id            text PRIMARY KEY,
  session_token text NOT NULL UNIQUE,
  user_id       text NOT NULL REFERENCES studio_owners ON DELETE CASCADE,
  expires       timestamptz NOT NULL
);
