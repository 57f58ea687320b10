SELECT a.id, o.user_id, a.type, a.provider, a.provider_account_id, a.refresh_token, a.access_token,
       a.id_token, a.token_type, a.scope, a.session_state, a.expires_at
FROM accounts a
LEFT JOIN public.user_sources o ON o.source_table = 'studio_owners' AND o.source_id = a.user_id
