DROP TABLE user_role_assignments;
DROP TABLE user_sources;
DROP TABLE users;
