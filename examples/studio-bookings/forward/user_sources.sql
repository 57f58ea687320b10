-- Which owner and customer rows a user was made of: rank 1 is the base row.
SELECT source_table, source_id, user_id,
       row_number() OVER (PARTITION BY user_id
                          ORDER BY kind, created_at, source_id COLLATE "C")::int AS rank
FROM (
  SELECT 'studio_owners' AS source_table, o.id AS source_id, u.id AS user_id, 1 AS kind, o.created_at
  FROM public.users u
  JOIN studio_owners o ON lower(btrim(o.email) COLLATE "C") = u.email
  UNION ALL
  SELECT 'customers', c.id, u.id, 2, c.created_at
  FROM public.users u
  JOIN customers c ON lower(btrim(c.email) COLLATE "C") = u.email
) members
