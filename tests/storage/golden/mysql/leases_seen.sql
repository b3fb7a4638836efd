-- parameters:
-- who
SELECT durable_executors.executor_id, durable_executors.lease_expires_at, TIMESTAMPDIFF(MICROSECOND,
  '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000 AS seen_at
FROM durable_executors
WHERE durable_executors.executor_id = %s OR durable_executors.lease_expires_at <=
  TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000;
