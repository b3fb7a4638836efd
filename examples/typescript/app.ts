// A web app that hands work to an executor server: enqueue, follow, wake up.
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import { createTaskClientHandles, tasks, type TasksRouterClient } from './tasks.gen.js'

const link = new RPCLink({ url: process.env.EXECUTOR_URL ?? 'http://127.0.0.1:3000/rpc' })
const client: TasksRouterClient = createORPCClient(link)
const handles = createTaskClientHandles(client, tasks)

const executionId = await handles.sendEmail.enqueue(
  { to: 'user@example.com', subject: 'Welcome', body: 'Thanks for signing up!' },
  { retryOptions: { maxAttempts: 3, baseDelayMs: 1000 } },
)
const execution = await finished(handles.sendEmail, executionId)
if (execution.status === 'completed') {
  console.log('Email sent:', execution.output.messageId)
}

// A sleeping task waits for something outside: here for a payment that a webhook reports.
const webhookId = `order-${executionId}`
const paymentId = await handles.waitForWebhook.enqueue(webhookId)
await handles.waitForWebhook.wakeup(webhookId, { status: 'completed', output: { provider: 'example', amount: 99.5 } })
const payment = await finished(handles.waitForWebhook, paymentId)
if (payment.status === 'completed') {
  console.log('Paid:', payment.output.amount, 'after', payment.finishedAt.getTime() - payment.createdAt.getTime(), 'ms')
}

async function finished<T extends { status: string }>(
  handle: { getExecution(executionId: string): Promise<T> },
  id: string,
): Promise<T> {
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 1.5, 1000)) {
    const execution = await handle.getExecution(id)
    if (['completed', 'failed', 'timed_out', 'finalize_failed', 'cancelled'].includes(execution.status)) {
      return execution
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
