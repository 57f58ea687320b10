-- A studio whose owner is not among the users keeps its row here with user_id NULL, so that it is
-- refused and reported instead of left out. The same holds for new_accounts and new_sessions.
SELECT s.id AS studio_id, o.user_id, true AS is_primary, s.created_at AS since
FROM studios s
LEFT JOIN public.user_sources o ON o.source_table = 'studio_owners' AND o.source_id = s.owner_id
