-- As studio_owners.sql. A guest is a customer once its account is active: until then its bookings
-- carry all there is to know.
SELECT s.source_id AS id, u.email, u.name, u.phone, u.password_hash, u.created_at, u.updated_at
FROM user_sources s
JOIN users u ON u.id = s.user_id
WHERE s.source_table = 'customers'
  AND NOT EXISTS (SELECT FROM user_sources b
                  WHERE b.user_id = s.user_id AND b.source_table = s.source_table AND b.rank < s.rank)
UNION ALL
SELECT u.id, u.email, u.name, u.phone, u.password_hash, u.created_at, u.updated_at
FROM users u
JOIN user_role_assignments r ON r.user_id = u.id AND r.role = 'CUSTOMER'
WHERE u.account_state = 'ACTIVE'
  AND NOT EXISTS (SELECT FROM user_sources s
                  WHERE s.user_id = u.id AND s.source_table = 'customers')
