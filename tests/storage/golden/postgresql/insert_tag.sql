-- parameters:
-- name, value, execution_id
INSERT INTO durable_task_execution_tags (name, value, execution_id) SELECT given.name, given.value,
  given.execution_id
FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3 AS TEXT[])) AS given(name, value,
  execution_id) ON CONFLICT DO NOTHING;
