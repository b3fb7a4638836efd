-- parameters:
-- id_from, since, limit
SELECT count(*) AS count_1, count(created.finished_at) AS count_2
FROM (SELECT durable_task_executions.finished_at AS finished_at
FROM durable_task_executions
WHERE durable_task_executions.execution_id >= ? AND durable_task_executions.created_at >= ?
LIMIT ?) AS created;
