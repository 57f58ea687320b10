SELECT lower(email) AS email
FORM customers
GROUP BY 1
