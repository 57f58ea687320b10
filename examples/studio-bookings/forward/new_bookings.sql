-- Whose booking it is: the customer's person (ACCOUNT); else whoever has the e-mail typed; else,
-- with no address typed, the booking's own guest. The last two are GUEST.
SELECT b.id, b.studio_id,
       coalesce(person.id, nameless.id) AS customer_id,
       CASE WHEN c.id IS NULL THEN 'GUEST' ELSE 'ACCOUNT' END AS booked_as,
       b.customer_name AS contact_name, b.customer_email AS contact_email,
       b.customer_phone AS contact_phone,
       b.service, b.starts_at, b.duration_min, b.status, b.message, b.created_at, b.updated_at
FROM bookings b
LEFT JOIN customers c ON c.id = b.customer_id
LEFT JOIN public.users person
       ON person.email = lower(btrim(coalesce(c.email, b.customer_email)) COLLATE "C")
LEFT JOIN public.users nameless
       ON c.id IS NULL AND position('@' IN b.customer_email) = 0
      AND nameless.email = lower(btrim(b.id || '@guest.invalid') COLLATE "C")
