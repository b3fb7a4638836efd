-- parameters:
-- task_ids, who
UPDATE durable_executors SET task_ids=$1 WHERE durable_executors.executor_id = $2;
