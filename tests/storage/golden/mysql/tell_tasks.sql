-- parameters:
-- task_ids, who
UPDATE durable_executors SET task_ids=%s WHERE durable_executors.executor_id = %s;
