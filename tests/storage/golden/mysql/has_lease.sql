-- parameters:
-- executor_id
SELECT durable_executors.executor_id
FROM durable_executors
WHERE durable_executors.executor_id = %s AND durable_executors.lease_expires_at >
  TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000 FOR UPDATE;
