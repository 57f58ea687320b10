-- As accounts.sql.
SELECT n.id, n.session_token, coalesce(s.source_id, n.user_id) AS user_id, n.expires
FROM new_sessions n
LEFT JOIN user_sources s ON s.user_id = n.user_id AND s.source_table = 'studio_owners'
LEFT JOIN user_role_assignments r ON r.user_id = n.user_id AND r.role = 'STUDIO_OWNER'
WHERE coalesce(s.user_id, r.user_id) IS NOT NULL
  AND NOT EXISTS (SELECT FROM user_sources b
                  WHERE b.user_id = s.user_id AND b.source_table = s.source_table AND b.rank < s.rank)
