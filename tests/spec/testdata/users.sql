-- One row per folded address.
SELECT lower(email) AS email,
       min(name) AS name
FROM customers
GROUP BY 1;
