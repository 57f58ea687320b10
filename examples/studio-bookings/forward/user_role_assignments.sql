-- What each person may do, since the earliest row that gives the role. A guest booking makes its
-- user a CUSTOMER.
SELECT user_id, role, min(granted_at) AS granted_at
FROM (
  SELECT u.id AS user_id, 'STUDIO_OWNER' AS role, o.created_at AS granted_at
  FROM public.users u
  JOIN studio_owners o ON lower(btrim(o.email) COLLATE "C") = u.email
  UNION ALL
  SELECT u.id, 'CUSTOMER', c.created_at
  FROM public.users u
  JOIN customers c ON lower(btrim(c.email) COLLATE "C") = u.email
  UNION ALL
  SELECT u.id, 'CUSTOMER', b.created_at
  FROM public.users u
  JOIN bookings b ON lower(btrim(b.customer_email) COLLATE "C") = u.email
  LEFT JOIN customers c ON c.id = b.customer_id
  WHERE c.id IS NULL
  UNION ALL
  SELECT u.id, 'CUSTOMER', b.created_at
  FROM public.users u
  JOIN bookings b ON lower(btrim(b.id || '@guest.invalid') COLLATE "C") = u.email
  LEFT JOIN customers c ON c.id = b.customer_id
  LEFT JOIN public.users named ON named.email = lower(btrim(b.customer_email) COLLATE "C")
  WHERE c.id IS NULL AND position('@' IN b.customer_email) = 0 AND named.id IS NULL
) grants
GROUP BY user_id, role
