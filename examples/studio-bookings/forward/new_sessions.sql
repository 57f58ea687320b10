-- Expired sessions too: a filter that depends on the time of day would never compare equal.
SELECT s.id, s.session_token, o.user_id, s.expires
FROM sessions s
LEFT JOIN public.user_sources o ON o.source_table = 'studio_owners' AND o.source_id = s.user_id
