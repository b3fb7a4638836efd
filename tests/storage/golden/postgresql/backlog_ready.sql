-- parameters:
-- limit
SELECT ready.task_id, count(*) AS count_1, min(ready.at) AS min_1
FROM (SELECT durable_task_executions.task_id AS task_id, durable_task_executions.ready_at AS at
FROM durable_task_executions
WHERE durable_task_executions.ready_at IS NOT NULL ORDER BY durable_task_executions.ready_at
LIMIT $1) AS ready GROUP BY ready.task_id;
