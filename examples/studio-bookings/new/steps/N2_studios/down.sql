DROP TABLE studio_ownership;
DROP TABLE studios;
