-- N2: studios, and who owns them in a table of its own.
CREATE TABLE studios (
  id         text PRIMARY KEY,
  name       text NOT NULL,
  slug       text NOT NULL UNIQUE,
  city       text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE studio_ownership (
  studio_id  text NOT NULL REFERENCES studios,
  user_id    text NOT NULL REFERENCES users DEFERRABLE INITIALLY DEFERRED,
  is_primary boolean NOT NULL DEFAULT true,
  since      timestamptz NOT NULL,
  PRIMARY KEY (studio_id, user_id)
);
CREATE UNIQUE INDEX studio_ownership_one_primary ON studio_ownership (studio_id) WHERE is_primary;
