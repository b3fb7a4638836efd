-- parameters:
-- values of all rows
UPDATE JSON_TABLE(%s, '$[*]' COLUMNS (v0 LONGTEXT CHARACTER SET utf8mb4 PATH '$[0]', v1 BIGINT PATH
  '$[1]', v2 BIGINT PATH '$[2]', v3 VARCHAR(256) CHARACTER SET utf8mb4 PATH '$[3]', v4 BIGINT PATH
  '$[4]')) AS given STRAIGHT_JOIN durable_task_executions SET status='completed', output=given.v0,
  error=NULL, finished_at=given.v1, updated_at=given.v2 WHERE durable_task_executions.execution_id =
  given.v3 AND durable_task_executions.status = 'running' AND durable_task_executions.fence =
  given.v4;
