-- N6: secondary indexes. Those on user_id also serve Switchyard, which recomputes a person's rows
-- by user_id.
CREATE INDEX user_sources_user_id_idx ON user_sources (user_id);
CREATE INDEX user_role_assignments_role_idx ON user_role_assignments (role);
CREATE INDEX studio_ownership_user_id_idx ON studio_ownership (user_id);
CREATE INDEX new_accounts_user_id_idx ON new_accounts (user_id);
CREATE INDEX new_sessions_user_id_idx ON new_sessions (user_id);
CREATE INDEX new_bookings_customer_id_idx ON new_bookings (customer_id);
CREATE INDEX new_bookings_studio_starts_idx ON new_bookings (studio_id, starts_at);
CREATE INDEX new_bookings_created_at_idx ON new_bookings (created_at);
CREATE INDEX audit_logs_action_idx ON audit_logs (action, created_at DESC);
