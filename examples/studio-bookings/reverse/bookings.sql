-- A guest's booking names nobody; what was typed stands beside it.
SELECT b.id, b.studio_id,
       CASE WHEN b.booked_as = 'ACCOUNT' THEN coalesce(s.source_id, b.customer_id) END AS customer_id,
       b.contact_name AS customer_name, b.contact_email AS customer_email,
       b.contact_phone AS customer_phone, b.service, b.starts_at, b.duration_min, b.status,
       b.message, b.created_at, b.updated_at
FROM new_bookings b
LEFT JOIN user_sources s ON s.user_id = b.customer_id AND s.source_table = 'customers'
WHERE NOT EXISTS (SELECT FROM user_sources t
                  WHERE t.user_id = s.user_id AND t.source_table = s.source_table AND t.rank < s.rank)
