-- N4: every booking belongs to a user; what the customer typed stays beside it.
CREATE TABLE new_bookings (
  id            text PRIMARY KEY,
  studio_id     text NOT NULL REFERENCES studios,
  customer_id   text NOT NULL REFERENCES users DEFERRABLE INITIALLY DEFERRED,
  booked_as     text NOT NULL CHECK (booked_as IN ('ACCOUNT', 'GUEST')),
  contact_name  text NOT NULL,
  contact_email text NOT NULL,
  contact_phone text,
  service       text NOT NULL,
  starts_at     timestamptz NOT NULL,
  duration_min  int NOT NULL DEFAULT 60 CHECK (duration_min > 0),
  status        text NOT NULL DEFAULT 'PENDING'
                CHECK (status IN ('PENDING', 'CONFIRMED', 'CANCELLED', 'COMPLETED')),
  message       text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);
