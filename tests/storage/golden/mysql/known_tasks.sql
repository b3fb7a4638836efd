-- parameters:
-- none
SELECT durable_executors.task_ids
FROM durable_executors
WHERE durable_executors.lease_expires_at > TIMESTAMPDIFF(MICROSECOND, '1970-01-01',
  UTC_TIMESTAMP(3)) DIV 1000 AND durable_executors.task_ids IS NOT NULL;
