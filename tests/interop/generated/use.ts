// A client of the generated module against a running server; prints the outcomes as JSON.
// usage: node dist/use.js <url>
import { createORPCClient, ORPCError } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import {
  createTaskClientHandles,
  TaskExecutionFailedError,
  tasks,
  type OperatorsRouterClient,
  type Order,
  type OrderInput,
  type TaskExecution,
  type TasksRouterClient,
} from './tasks.gen.js'

declare const process: { argv: string[] }
const client: TasksRouterClient & OperatorsRouterClient = createORPCClient(new RPCLink({ url: process.argv[2]! }))
const handles = createTaskClientHandles(client, tasks)

const least: OrderInput = {
  customer: 7,
  placed_at: new Date('2024-02-29T12:34:56.789Z'),
  payment: { type: 'transfer', accountNumber: 12345678901234567890n },
  items: { entries: [{ sku: 'a', color: 'red' }] },
  address: { street: 'Main Street' },
  place: [52.5],
  labels: new Set(['new', 'gift']),
  counts: new Map([[1, 'one']]),
  stock: new Map([['a', 3]]),
  total: 9007199254740993n,
}
const most: OrderInput = {
  ...least,
  payment: { type: 'card', lastDigits: '1234' },
  items: { entries: [{ sku: 'b', color: 'blue', size: 2, price: 1.5 }], next_page: 2 },
  address: { street: 'Main Street', floor: 3 },
  place: [52.5, 13.4],
  labels: ['twice', 'twice'],
  counts: { 2: 'two' },
  stock: new Map(),
  total: 5,
  priority: 3,
  note: 'careful',
  category: { name: 'toys', children: [{ name: 'cars' }] },
  due: '2024-03-01',
  patience: 'PT90S',
  token: '00000000-0000-0000-0000-00000000002a',
  picture: 'aGk=',
  by_color: { red: 2 },
  by_mood: { good: 1 },
  pair: [1, 'one'],
  extra: { when: new Date(0), list: [1, undefined], deep: { set: new Set([1n]) } },
}

const scenarios = {
  defaults: async () => shown(await placed(least)),
  everything: async () => shown(await placed(most)),
  rawCalls: async () => {
    const executionId = await client.enqueueTask({ taskId: 'greet', input: 'Ada' })
    const execution = await finished(() => client.getTaskExecution({ taskId: 'greet', executionId }))
    if (execution.status !== 'completed') throw new Error(execution.status)
    const input: string | null | undefined = execution.input
    return [input, execution.output.toUpperCase()]
  },
  pydantic: async () => {
    const issuedAt = new Date('2024-01-02T03:04:05.006Z')
    const invoice = await completed(handles.bill, await handles.bill.enqueue({ invoiceNumber: 1, issuedAt }))
    return [invoice.issuedAt.getTime() === issuedAt.getTime(), invoice.year, invoice.lines, 'password' in invoice]
  },
  nothing: async () => [await completed(handles.ping, await handles.ping.enqueue())],
  optional: async () => completed(handles.greet, await handles.greet.enqueue()),
  parent: async () => {
    const result = await completed(handles['double-all'], await handles['double-all'].enqueue([1, 2]))
    const outputs = result.children.map((child) => (child.status === 'completed' ? child.output : child.error.message))
    return [result.output, outputs]
  },
  finalized: async () => completed(handles.sumAll, await handles.sumAll.enqueue([1, 2, 3])),
  loop: async () => {
    const done = await completed(handles.seek, await handles.seek.enqueue(5))
    const gaveUp = await completed(handles.seek, await handles.seek.enqueue(0))
    return [done.isSuccess ? done.output[0] : undefined, gaveUp.isSuccess]
  },
  wakeup: async () => {
    await handles.approval.enqueue('item 1')
    const woken = await handles.approval.wakeup('item 1', {
      status: 'completed',
      output: { sku: 'c', color: 'red', price: '1.00' },
    })
    return woken.status === 'completed' ? [woken.output.sku, woken.output.price, woken.output.size] : woken.status
  },
  wait: async () => {
    const executionId = await handles.greet.enqueue('Ada')
    const execution = await handles.greet.wait(executionId, { timeoutMs: 30_000 })
    return execution.status === 'completed' ? execution.output : execution.status
  },
  result: async () => {
    const length: string = await handles.greet.result(await handles.greet.enqueue('Ada'))
    const failing = handles.fail.result(await handles.fail.enqueue('no luck'))
    const error = await failing.catch((error: unknown) => error)
    return [length, error instanceof TaskExecutionFailedError && [error.message, error.execution.status]]
  },
  watch: async () => {
    const executionId = await handles.count.enqueue(3)
    const seen: unknown[] = []
    const events = await handles.count.watch(executionId)
    for (;;) {
      const event = await events.next()
      if (event.done) {
        const { status, finishedAt } = event.value
        return [seen, status, finishedAt instanceof Date]
      }
      if (event.value.type === 'status') continue
      const { fraction, message, updatedAt } = event.value.progress
      seen.push(fraction, message, updatedAt instanceof Date)
      await handles.count.cancel(executionId)
    }
  },
  cancel: async () => {
    const executionId = await handles.count.enqueue(3)
    const execution = await handles.count.cancel(executionId)
    return execution.status === 'cancelled' ? execution.error.errorType : execution.status
  },
  many: async () => {
    const tags = { lot: 'a' }
    const ids = await handles.greet.enqueueMany([{ input: 'Ada', options: { tags } }, { options: { tags } }])
    const { executions, nextCursor } = await handles.greet.list({ tags, order: 'oldest_first', limit: 1 })
    const rest = await client.listTaskExecutions({ taskIds: ['greet'], tags, order: 'oldest_first', cursor: nextCursor })
    const [first, ...others] = [...executions, ...rest.executions]
    const found = [first, ...others].map((execution) => execution?.executionId)
    return [
      found.length === 2 && ids.every((id) => found.includes(id)) && rest.nextCursor === undefined,
      [first?.taskId, first?.tags, first?.childrenCount, first?.createdAt instanceof Date],
    ]
  },
  once: async () => {
    const tasks = [{ taskId: 'greet' as const, input: 'Ada', options: { idempotencyKey: 'once' } }]
    return (await client.enqueueTasks({ tasks }))[0] === (await client.enqueueTasks({ tasks }))[0]
  },
  failed: async () => {
    const executionId = await handles.fail.enqueue('no luck', { retryOptions: { maxAttempts: 1 } })
    const execution = await finished(() => handles.fail.getExecution(executionId))
    return execution.status === 'failed' ? [execution.error.message, execution.retryAttempts] : execution.status
  },
  operators: async () => {
    const executionId = await handles.fail.enqueue('no luck')
    await finished(() => handles.fail.getExecution(executionId))
    const retried = await client.retryTaskExecution({ taskId: 'fail', executionId })
    await finished(() => handles.fail.getExecution(executionId))
    const [failed] = (await client.getTaskExecutionTree({ executionId })).executions
    const sumId = await handles.sumAll.enqueue([1, 2])
    await completed(handles.sumAll, sumId)
    const [root, ...below] = (await client.getTaskExecutionTree({ taskId: 'sumAll', executionId: sumId })).executions
    const [alone] = (await client.getTaskExecutionTree({ executionId: sumId, limit: 0 })).executions
    const stats = await client.getExecutorStats()
    return [
      retried.executionId === executionId && 'startAt' in retried && retried.startAt instanceof Date,
      [failed?.input, failed?.error?.message, typeof failed?.pastAttempts?.[0]?.error?.traceback],
      [root?.output, alone?.leftOut, below.map((each) => [each.taskId, each.parent?.executionId === sumId, each.output])],
      [stats.at instanceof Date, stats.executors[0]?.isAlive, stats.tasks.fail?.failed.failed],
      await client.pruneTaskExecutions({ olderThanMs: 3_600_000, limit: 10 }),
    ]
  },
  refused: async () => {
    try {
      return await handles.placeOrder.enqueue({ ...least, items: { entries: [{ sku: '', color: 'red' }] } })
    } catch (error) {
      if (!(error instanceof ORPCError)) throw error
      return [error.code, error.data.issues[0].path]
    }
  },
}

const outcomes: Record<string, unknown> = {}
for (const [name, scenario] of Object.entries(scenarios)) outcomes[name] = await scenario()
console.log(JSON.stringify(outcomes))

async function placed(order: OrderInput): Promise<Order> {
  return completed(handles.placeOrder, await handles.placeOrder.enqueue(order))
}

/** Everything that JSON would not show, in words. */
function shown(order: Order): unknown {
  const { placed_at, payment, labels, counts, stock, total, by_color, extra } = order
  return {
    ...order,
    placed_at: placed_at.toISOString(),
    payment: payment.type === 'transfer' ? { ...payment, accountNumber: `${payment.accountNumber}n` } : payment,
    labels: [...labels].sort(),
    counts: counts instanceof Map ? [...counts] : counts,
    stock: [...stock],
    by_color: by_color instanceof Map ? [...by_color] : by_color,
    total: `${total} ${typeof total}`,
    extra: Object.keys(extra),
    isExact: extra.when === undefined || (extra.when as Date).getTime() === 0,
  }
}

async function completed<TOutput>(
  handle: { getExecution(executionId: string): Promise<TaskExecution<TOutput, any>> },
  executionId: string,
): Promise<TOutput> {
  const execution = await finished(() => handle.getExecution(executionId))
  if (execution.status !== 'completed') throw new Error(JSON.stringify(execution))
  return execution.output
}

async function finished<T extends { status: string }>(look: () => Promise<T>): Promise<T> {
  for (;;) {
    const execution = await look()
    if ('finishedAt' in execution) return execution
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
