-- parameters:
-- executor_ids
SELECT durable_executors.executor_id
FROM durable_executors
WHERE durable_executors.executor_id IN %s ORDER BY durable_executors.executor_id FOR UPDATE;
