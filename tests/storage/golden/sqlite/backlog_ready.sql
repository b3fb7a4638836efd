-- parameters:
-- limit
SELECT ready.task_id, count(*) AS count_1, min(ready.at) AS min_1
FROM (SELECT durable_task_executions.task_id AS task_id, durable_task_executions.start_at AS at
FROM durable_task_executions
WHERE status = 'ready' ORDER BY durable_task_executions.start_at
LIMIT ?) AS ready GROUP BY ready.task_id;
