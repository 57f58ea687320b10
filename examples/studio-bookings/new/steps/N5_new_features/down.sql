DROP TABLE audit_logs;
DROP TABLE magic_link_tokens;
