-- OLD knows logins of owners alone.
SELECT a.id, coalesce(s.source_id, a.user_id) AS user_id, a.type, a.provider,
       a.provider_account_id, a.refresh_token, a.access_token, a.id_token, a.token_type, a.scope,
       a.session_state, a.expires_at
FROM new_accounts a
LEFT JOIN user_sources s ON s.user_id = a.user_id AND s.source_table = 'studio_owners'
LEFT JOIN user_role_assignments r ON r.user_id = a.user_id AND r.role = 'STUDIO_OWNER'
WHERE coalesce(s.user_id, r.user_id) IS NOT NULL
  AND NOT EXISTS (SELECT FROM user_sources b
                  WHERE b.user_id = s.user_id AND b.source_table = s.source_table AND b.rank < s.rank)
