-- N1: one table of people, where each of them came from, and what each may do.
-- email is folded: ASCII case and outer blanks do not tell people apart. The C collation gives the
-- same answer on every server, and lets a folded e-mail of OLD use the index.
-- A user's id may change inside one transaction (a customer becomes an owner), so every foreign
-- key to users waits for the commit.
CREATE TABLE users (
  id                text PRIMARY KEY,
  email             text COLLATE "C" NOT NULL CONSTRAINT users_email_key UNIQUE,
  name              text,
  phone             text,
  password_hash     text,
  email_verified_at timestamptz,
  image_url         text,
  account_state     text NOT NULL DEFAULT 'ACTIVE' CHECK (account_state IN ('ACTIVE', 'GUEST')),
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT users_email_is_folded CHECK (email = lower(btrim(email) COLLATE "C"))
);

CREATE TABLE user_sources (
  source_table text NOT NULL,
  source_id    text NOT NULL,
  user_id      text NOT NULL REFERENCES users DEFERRABLE INITIALLY DEFERRED,
  rank         int NOT NULL,  -- 1: the row the user's id and password come from
  PRIMARY KEY (source_table, source_id)
);

CREATE TABLE user_role_assignments (
  user_id    text NOT NULL REFERENCES users DEFERRABLE INITIALLY DEFERRED,
  role       text NOT NULL CHECK (role IN ('STUDIO_OWNER', 'CUSTOMER')),
  granted_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, role)
);
