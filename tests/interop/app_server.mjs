// A web app on the real @orpc/server whose procedures our tasks call. Listens on the port it is given, prints
// `{"port": n}` and ends when its standard input closes.
// usage: node app_server.mjs [port]
import { createServer } from 'node:http'
import { ORPCError, os } from '@orpc/server'
import { RPCHandler } from '@orpc/server/node'
import { z } from 'zod'

const procedures = os.$context()
const attemptsOf = new Map() // execution id -> attempts seen

const fail = (code, status, message) =>
  procedures.handler(() => {
    throw new ORPCError(code, { status, message })
  })

const router = {
  processOrder: procedures
    .input(z.object({ orderId: z.string(), amount: z.number(), due: z.date() }))
    .output(z.object({ transactionId: z.string(), due: z.date() }))
    .handler(({ input }) => ({ transactionId: `txn ${input.orderId}`, due: input.due })),
  busyTwice: procedures.handler(({ context }) => {
    const seen = attemptsOf.get(context.executionId) ?? []
    seen.push(context.attempt)
    attemptsOf.set(context.executionId, seen)
    if (seen.length < 3) throw new ORPCError('SERVICE_UNAVAILABLE', { message: 'busy' })
    return { executionId: context.executionId, seen }
  }),
  missing: fail('NOT_FOUND', 404, 'Order o1 is gone'),
  refused: fail('BAD_REQUEST', 400, 'Not today'),
  bug: procedures.handler(() => {
    throw new Error('the password is hunter2')
  }),
}

const handler = new RPCHandler(router)

const server = createServer(async (request, response) => {
  const context = {
    executionId: request.headers['x-durable-execution-id'],
    attempt: request.headers['x-durable-attempt'],
  }
  const { matched } = await handler.handle(request, response, { prefix: '/rpc', context })
  if (!matched) response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found')
})

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () =>
  console.log(JSON.stringify({ port: server.address().port })),
)
process.stdin.on('end', () => process.exit(0)).resume()
