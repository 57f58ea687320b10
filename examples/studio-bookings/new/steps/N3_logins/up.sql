-- N3: OAuth links and sessions, bound to users.
CREATE TABLE new_accounts (
  id                  text PRIMARY KEY,
  user_id             text NOT NULL REFERENCES users DEFERRABLE INITIALLY DEFERRED,
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

CREATE TABLE new_sessions (
  id            text PRIMARY KEY,
  session_token text NOT NULL UNIQUE,
  user_id       text NOT NULL REFERENCES users DEFERRABLE INITIALLY DEFERRED,
  expires       timestamptz NOT NULL
);
