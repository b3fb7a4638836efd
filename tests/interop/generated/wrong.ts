// What must not compile: each line below a directive is an error, and a directive above none is one, too.
import { createORPCClient, createSafeClient, type NestedClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import {
  createTaskClientHandles,
  tasks,
  type OperatorsRouterClient,
  type OrderInput,
  type TasksRouterClient,
} from './tasks.gen.js'

declare const order: OrderInput
const client: TasksRouterClient = createORPCClient(new RPCLink({ url: 'http://localhost/rpc' }))
const handles = createTaskClientHandles(client, tasks)

export async function handlesAreTyped(): Promise<void> {
  // @ts-expect-error an input is needed
  await handles.placeOrder.enqueue()
  // @ts-expect-error a customer is a number
  await handles.placeOrder.enqueue({ ...order, customer: 'Ada' })
  // @ts-expect-error a date is no text
  await handles.placeOrder.enqueue({ ...order, placed_at: '2024-02-29T12:34:56Z' })
  // @ts-expect-error a member of the union by its tag
  await handles.placeOrder.enqueue({ ...order, payment: { type: 'card', accountNumber: 1n } })
  // @ts-expect-error a bigint is no number
  await handles.placeOrder.enqueue({ ...order, payment: { type: 'transfer', accountNumber: 1 } })
  // @ts-expect-error no such member of the enum
  await handles.placeOrder.enqueue({ ...order, items: { entries: [{ sku: 'a', color: 'green' }] } })
  // @ts-expect-error no such literal
  await handles.placeOrder.enqueue({ ...order, priority: 'middle' })
  // @ts-expect-error a part of a nested one is missing
  await handles.placeOrder.enqueue({ ...order, category: { children: [] } })
  // @ts-expect-error JavaScript's own Map is asked for
  await handles.placeOrder.enqueue({ ...order, stock: { a: 3 } })
  // @ts-expect-error a set of texts
  await handles.placeOrder.enqueue({ ...order, labels: new Set([1]) })
  // @ts-expect-error keys of an enum
  await handles.placeOrder.enqueue({ ...order, by_color: { green: 1 } })
  // @ts-expect-error keys of an enum of texts
  await handles.placeOrder.enqueue({ ...order, by_mood: { soso: 1 } })
  // @ts-expect-error a pair has two parts
  await handles.placeOrder.enqueue({ ...order, pair: [1] })
  // @ts-expect-error no such field
  await handles.placeOrder.enqueue({ ...order, colour: 'red' })
  // @ts-expect-error an alias is the only name
  await handles.bill.enqueue({ invoice_number: 1, issuedAt: new Date() })
  // @ts-expect-error it takes no input
  await handles.ping.enqueue(1)
  // @ts-expect-error an option is a number
  await handles.greet.enqueue('Ada', { timeoutMs: '1s' })
  // @ts-expect-error no such task
  await handles.nobody.enqueue()
  // @ts-expect-error only a sleeping task is woken up
  await handles.greet.wakeup('a', { status: 'completed', output: 'b' })
  // @ts-expect-error the output that the task promises
  await handles.approval.wakeup('a', { status: 'completed', output: 'b' })
  // @ts-expect-error each input is checked
  await handles.greet.enqueueMany([{ input: 'Ada' }, { input: 1 }])
  // @ts-expect-error no such status
  await handles.greet.list({ statuses: ['done'] })
}

export async function outputsAreTyped(executionId: string): Promise<void> {
  const execution = await handles.bill.getExecution(executionId)
  // @ts-expect-error only a completed execution has an output
  void execution.output
  if (execution.status !== 'completed') return
  const { output } = execution
  const year: number = output.year
  // @ts-expect-error what is not written is not there
  void output.password
  // @ts-expect-error a price is a text on the way out
  void output.lines[0]?.price.toFixed(year)
  for await (const event of await handles.greet.watch(executionId)) {
    // @ts-expect-error only one kind of event has progress
    void event.progress
    if (event.type === 'progress') event.progress.fraction.toFixed()
    else if (event.execution.status === 'completed') event.execution.output.toUpperCase()
  }
}

export async function rawCallsAreTyped(executionId: string): Promise<void> {
  await client.enqueueTask({ taskId: 'ping' })
  await client.enqueueTasks({ tasks: [{ taskId: 'greet', input: 'Ada' }, { taskId: 'placeOrder', input: order }] })
  // @ts-expect-error no such task
  await client.enqueueTask({ taskId: 'nobody', input: 1 })
  // @ts-expect-error the input of another task
  await client.enqueueTask({ taskId: 'sumAll', input: 'Ada' })
  // @ts-expect-error the input is missing
  await client.enqueueTask({ taskId: 'sumAll' })
  // @ts-expect-error one of them has the input of another task
  await client.enqueueTasks({ tasks: [{ taskId: 'greet', input: 'Ada' }, { taskId: 'greet', input: 1 }] })
  const signal = new AbortController().signal
  const sum = await client.waitTaskExecution({ taskId: 'sumAll', executionId, timeoutMs: 100 }, { signal })
  if (sum.status === 'completed') {
    sum.output.toFixed()
    // @ts-expect-error the output of another task
    sum.output.toUpperCase()
  }
  const cancelled = await client.cancelTaskExecution({ taskId: 'greet', executionId })
  cancelled.finishedAt.getTime()
  await client.completeTask({ token: 'a', output: { sku: 'b' } })
  const { expiresAt } = await client.heartbeatTask({ token: 'a', progress: { fraction: 0.5 } })
  expiresAt.getTime()
  // @ts-expect-error the token is missing
  await client.failTask({ error: 'no luck' })
  const sleepingTaskUniqueId = 'a'
  const item = { sku: 'a', color: 'red' } as const
  // @ts-expect-error only a sleeping task is woken up
  await client.wakeupSleepingTaskExecution({ taskId: 'greet', sleepingTaskUniqueId, options: { status: 'completed', output: 'b' } })
  // @ts-expect-error the output that the task promises
  await client.wakeupSleepingTaskExecution({ taskId: 'approval', sleepingTaskUniqueId, options: { status: 'completed', output: 'b' } })
  await client.wakeupSleepingTaskExecution({ taskId: 'approval', sleepingTaskUniqueId, options: { status: 'completed', output: item } })
}

declare const operator: OperatorsRouterClient
export async function operatorsAreTyped(executionId: string): Promise<void> {
  const { executions } = await operator.getTaskExecutionTree({ executionId })
  executions[0]?.createdAt.getTime()
  // @ts-expect-error an output may be of any task
  void executions[0]?.output.length
  // @ts-expect-error no such task
  await operator.retryTaskExecution({ taskId: 'nobody', executionId })
  // @ts-expect-error how old is missing
  await operator.pruneTaskExecutions({ limit: 1 })
  // @ts-expect-error callers are no operators
  await client.getExecutorStats()
}

// It is a client like any other to what @orpc/client offers for all of them.
const nested: NestedClient<Record<never, never>> = client
void nested
const safe = createSafeClient(client)
export async function safeCallsAreTyped(): Promise<void> {
  const [error, executionId] = await safe.enqueueTask({ taskId: 'greet', input: 'Ada' })
  if (!error) executionId.toUpperCase()
  // @ts-expect-error the input of another task
  await safe.enqueueTask({ taskId: 'sumAll', input: 'Ada' })
}

// With a context that calls must give, calls must give it.
declare const withContext: TasksRouterClient<{ token: string }>
export async function contextIsTyped(executionId: string): Promise<void> {
  await withContext.getTaskExecution({ taskId: 'greet', executionId }, { context: { token: 'a' } })
  // @ts-expect-error the context is missing
  await withContext.getTaskExecution({ taskId: 'greet', executionId })
  // @ts-expect-error the context is missing
  await withContext.enqueueTask({ taskId: 'greet', input: 'Ada' })
}
