-- The post-checks of the migration, run on NEW:
--
--   psql -d new -v scale=1 -v nasty=1 -f checks/post.sql
--
-- With scale (and nasty, default 0) as given to the generator, and no application running since, the
-- numbers are exact. Without scale, counts are compared with Switchyard's mirror of OLD. Every row
-- with ok = f is a failed check. V10 (a second run changes nothing) and the comparison of every
-- row with the mapping of OLD are the work of the program, not of this file.
\set ON_ERROR_STOP on
\if :{?nasty}
\else
  \set nasty 0
\endif
SELECT to_regclass('switchyard.quarantine') IS NOT NULL AS has_quarantine \gset
\if :has_quarantine
  SELECT count(*) AS parked FROM switchyard.quarantine \gset
\else
  \set parked 0
\endif
\if :{?scale}
  SELECT 198 * :scale + 13 * :nasty AS users,
         42 * :scale + 5 * :nasty AS owner_roles, 158 * :scale + 11 * :nasty AS customer_roles,
         2 * :scale + 3 * :nasty AS both_roles,
         47 * :scale + 2 * :nasty AS studios, 312 * :scale + 8 * :nasty AS bookings,
         42 * :scale + 6 * :nasty AS owners, 158 * :scale + 8 * :nasty AS customers,
         20 * :scale + :nasty AS accounts, 30 * :scale + :nasty AS sessions \gset
\else
  WITH members AS (
    SELECT lower(btrim(email) COLLATE "C") AS email, 'STUDIO_OWNER' AS role FROM switchyard_old.studio_owners
    UNION
    SELECT lower(btrim(email) COLLATE "C"), 'CUSTOMER' FROM switchyard_old.customers
    UNION
    SELECT CASE WHEN position('@' IN b.customer_email) > 0 OR p.email IS NOT NULL
                THEN lower(btrim(b.customer_email) COLLATE "C")
                ELSE lower(btrim(b.id || '@guest.invalid') COLLATE "C") END, 'CUSTOMER'
    FROM switchyard_old.bookings b
    LEFT JOIN switchyard_old.customers c ON c.id = b.customer_id
    LEFT JOIN (SELECT lower(btrim(email) COLLATE "C") AS email FROM switchyard_old.studio_owners
               UNION
               SELECT lower(btrim(email) COLLATE "C") FROM switchyard_old.customers) p
           ON p.email = lower(btrim(b.customer_email) COLLATE "C")
    WHERE c.id IS NULL
  )
  SELECT (SELECT count(DISTINCT email) FROM members) AS users,
         (SELECT count(*) FROM members WHERE role = 'STUDIO_OWNER') AS owner_roles,
         (SELECT count(*) FROM members WHERE role = 'CUSTOMER') AS customer_roles,
         (SELECT count(*) FROM (SELECT FROM members GROUP BY email HAVING count(*) = 2) m) AS both_roles,
         (SELECT count(*) FROM switchyard_old.studios) AS studios,
         (SELECT count(*) FROM switchyard_old.bookings) AS bookings,
         (SELECT count(*) FROM switchyard_old.studio_owners) AS owners,
         (SELECT count(*) FROM switchyard_old.customers) AS customers,
         (SELECT count(*) FROM switchyard_old.accounts) AS accounts,
         (SELECT count(*) FROM switchyard_old.sessions) AS sessions \gset
\endif

WITH checks (name, expected, observed) AS (
  VALUES
    ('V1 users', :users, (SELECT count(*) FROM public.users)),
    ('V2 role rows', :owner_roles + :customer_roles,
     (SELECT count(*) FROM public.user_role_assignments)),
    ('V2 role STUDIO_OWNER', :owner_roles,
     (SELECT count(*) FROM public.user_role_assignments WHERE role = 'STUDIO_OWNER')),
    ('V2 role CUSTOMER', :customer_roles,
     (SELECT count(*) FROM public.user_role_assignments WHERE role = 'CUSTOMER')),
    ('V3 users with both roles', :both_roles,
     (SELECT count(*) FROM (SELECT FROM public.user_role_assignments
                            GROUP BY user_id HAVING count(*) = 2) r)),
    ('V4 studios', :studios, (SELECT count(*) FROM public.studios)),
    ('V4 ownerships', :studios, (SELECT count(*) FROM public.studio_ownership)),
    ('V4 studios without exactly one primary owner', 0,
     (SELECT count(*) FROM public.studios s
      WHERE 1 <> (SELECT count(*) FROM public.studio_ownership o
                  WHERE o.studio_id = s.id AND o.is_primary))),
    ('V5 bookings', :bookings, (SELECT count(*) FROM public.new_bookings)),
    ('V6 bookings without a user', 0,
     (SELECT count(*) FROM public.new_bookings b
      WHERE NOT EXISTS (SELECT FROM public.users u WHERE u.id = b.customer_id))),
    ('V7 sources that are owners', :owners,
     (SELECT count(*) FROM public.user_sources WHERE source_table = 'studio_owners')),
    ('V7 sources that are customers', :customers,
     (SELECT count(*) FROM public.user_sources WHERE source_table = 'customers')),
    ('V7 users of whom not exactly one source is the base', 0,
     (SELECT count(*) FROM public.users u
      WHERE u.account_state = 'ACTIVE'
        AND 1 <> (SELECT count(*) FROM public.user_sources s WHERE s.user_id = u.id AND s.rank = 1))),
    ('V8 parked rows', 0, :parked),
    ('V9 accounts', :accounts, (SELECT count(*) FROM public.new_accounts)),
    ('V9 sessions', :sessions, (SELECT count(*) FROM public.new_sessions)),
    ('V11 users whose password is not the base row''s', 0,
     (SELECT count(*)
      FROM public.users u
      LEFT JOIN public.user_sources s ON s.user_id = u.id AND s.rank = 1
      LEFT JOIN switchyard_old.studio_owners o
             ON s.source_table = 'studio_owners' AND o.id = s.source_id
      LEFT JOIN switchyard_old.customers c ON s.source_table = 'customers' AND c.id = s.source_id
      WHERE u.password_hash IS DISTINCT FROM
            CASE s.source_table WHEN 'studio_owners' THEN o.password_hash
                                WHEN 'customers' THEN c.password_hash END)),
    ('V12 e-mails not folded', 0,
     (SELECT count(*) FROM public.users WHERE email <> lower(btrim(email) COLLATE "C"))),
    ('V12 e-mails not unique', 0,
     (SELECT count(*) - count(DISTINCT email) FROM public.users))
)
SELECT name, expected, observed, expected = observed AS ok FROM checks;
