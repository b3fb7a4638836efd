-- parameters:
-- executor_id, claimed_at, claimed_at, claimed_at, execution_ids
UPDATE durable_task_executions SET status='running', executor_id=%s,
  fence=(durable_task_executions.fence + 1), started_at=%s, expires_at=(%s +
  durable_task_executions.timeout_ms), updated_at=%s WHERE durable_task_executions.execution_id IN
  %s;
