-- A studio's owner is its primary one; the others are not carried.
SELECT t.id, coalesce(s.source_id, w.user_id) AS owner_id, t.name, t.slug, t.city, t.created_at,
       t.updated_at
FROM studios t
JOIN studio_ownership w ON w.studio_id = t.id AND w.is_primary
LEFT JOIN user_sources s ON s.user_id = w.user_id AND s.source_table = 'studio_owners'
WHERE NOT EXISTS (SELECT FROM user_sources b
                  WHERE b.user_id = s.user_id AND b.source_table = s.source_table AND b.rank < s.rank)
