-- People: every owner and customer row, and every guest booking, by folded e-mail. Row 1 in rank
-- (owners before customers before guests, then the oldest, then the smallest id) is the base: it
-- gives the id, and it alone gives the password. A guest booking is one whose customer_id is NULL
-- or names nobody; without an address it makes a user of its own, unless an owner or customer has
-- that very text as e-mail.
SELECT CASE
         WHEN kind = 3 AND nameless THEN 'g_' || md5('booking:' || source_id)
         WHEN kind = 3 THEN 'g_' || md5(email)
         WHEN left(source_id, 2) IN ('o_', 'c_', 'g_', 'u_') THEN source_id
         WHEN kind = 1 THEN 'o_' || source_id
         ELSE 'c_' || source_id
       END AS id,
       email,
       CASE WHEN kind = 3 THEN name ELSE names[1] END AS name,
       CASE WHEN kind = 3 THEN phone ELSE phones[1] END AS phone,
       password_hash, email_verified_at, image_url,
       CASE WHEN kind = 3 THEN 'GUEST' ELSE 'ACTIVE' END AS account_state,
       first_created_at AS created_at,
       coalesce(last_updated_at, first_created_at) AS updated_at
FROM (
  SELECT m.*,
         row_number() OVER person AS rank,
         array_agg(name) FILTER (WHERE btrim(name) <> '') OVER person AS names,
         array_agg(phone) FILTER (WHERE btrim(phone) <> '') OVER person AS phones,
         min(created_at) OVER person AS first_created_at,
         max(updated_at) OVER person AS last_updated_at
  FROM (
    SELECT lower(btrim(email) COLLATE "C") AS email, 1 AS kind, id AS source_id, false AS nameless,
           name, phone, password_hash, email_verified_at, image_url, created_at, updated_at
    FROM studio_owners
    UNION ALL
    SELECT lower(btrim(email) COLLATE "C"), 2, id, false,
           name, phone, password_hash, NULL, NULL, created_at, updated_at
    FROM customers
    UNION ALL
    SELECT lower(btrim(b.customer_email) COLLATE "C"), 3, b.id, false,
           b.customer_name, b.customer_phone, NULL, NULL, NULL, b.created_at, NULL
    FROM bookings b
    LEFT JOIN customers c ON c.id = b.customer_id
    WHERE c.id IS NULL
      AND (position('@' IN b.customer_email) > 0
           OR EXISTS (SELECT FROM studio_owners o
                      WHERE lower(btrim(o.email) COLLATE "C") = lower(btrim(b.customer_email) COLLATE "C"))
           OR EXISTS (SELECT FROM customers p
                      WHERE lower(btrim(p.email) COLLATE "C") = lower(btrim(b.customer_email) COLLATE "C")))
    UNION ALL
    SELECT lower(btrim(b.id || '@guest.invalid') COLLATE "C"), 3, b.id, true,
           b.customer_name, b.customer_phone, NULL, NULL, NULL, b.created_at, NULL
    FROM bookings b
    LEFT JOIN customers c ON c.id = b.customer_id
    WHERE c.id IS NULL
      AND position('@' IN b.customer_email) = 0
      AND NOT EXISTS (SELECT FROM studio_owners o
                      WHERE lower(btrim(o.email) COLLATE "C") = lower(btrim(b.customer_email) COLLATE "C"))
      AND NOT EXISTS (SELECT FROM customers p
                      WHERE lower(btrim(p.email) COLLATE "C") = lower(btrim(b.customer_email) COLLATE "C"))
  ) m
  WINDOW person AS (PARTITION BY email ORDER BY kind, created_at, source_id COLLATE "C"
                    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
) p
WHERE rank = 1
