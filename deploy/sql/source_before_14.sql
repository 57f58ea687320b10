-- Logical replication of this version shows no messages. One row per stream, in its publication:
-- writing it is the message that a stream of an idle database goes on by.
CREATE TABLE IF NOT EXISTS switchyard.capture_message (
  stream            text PRIMARY KEY,
  prefix            text NOT NULL,
  content           text NOT NULL);
