DROP TABLE new_sessions;
DROP TABLE new_accounts;
