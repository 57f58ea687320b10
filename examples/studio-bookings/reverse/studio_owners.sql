-- A user is the owner row that it was made of, the best in rank where there were several. One who
-- became an owner in NEW has a row under the user's own id, which the way forward keeps.
SELECT s.source_id AS id, u.email, u.name, u.phone, u.password_hash, u.email_verified_at,
       u.image_url, u.created_at, u.updated_at
FROM user_sources s
JOIN users u ON u.id = s.user_id
WHERE s.source_table = 'studio_owners'
  AND NOT EXISTS (SELECT FROM user_sources b
                  WHERE b.user_id = s.user_id AND b.source_table = s.source_table AND b.rank < s.rank)
UNION ALL
SELECT u.id, u.email, u.name, u.phone, u.password_hash, u.email_verified_at, u.image_url,
       u.created_at, u.updated_at
FROM users u
JOIN user_role_assignments r ON r.user_id = u.id AND r.role = 'STUDIO_OWNER'
WHERE NOT EXISTS (SELECT FROM user_sources s
                  WHERE s.user_id = u.id AND s.source_table = 'studio_owners')
