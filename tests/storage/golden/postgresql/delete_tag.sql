-- parameters:
-- name, value, execution_id
DELETE FROM durable_task_execution_tags USING unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3
  AS TEXT[])) AS given(name, value, execution_id) WHERE durable_task_execution_tags.name =
  given.name AND durable_task_execution_tags.value = given.value AND
  durable_task_execution_tags.execution_id = given.execution_id;
