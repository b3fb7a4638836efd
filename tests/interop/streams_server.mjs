// A real server with event streams and batches for the Python client. Prints `{"port": n}` once it listens and ends
// when its standard input closes.
// usage: node streams_server.mjs <package>
import { createServer } from 'node:http'

const [packageName] = process.argv.slice(2)
const { ORPCError, os, withEventMeta } = await import(packageName)
const { RPCHandler } = await import(`${packageName}/node`)
const { BatchHandlerPlugin } = await import(`${packageName}/plugins`)

const procedures = os.$context()
let running = 0
let requests = 0

const router = {
  ping: procedures.handler(() => 'pong'),
  nothing: procedures.handler(() => undefined),
  echo: procedures.handler(({ input }) => input),
  find: procedures.route?.({ method: 'GET' }).handler(({ input }) => input) ?? procedures.handler(({ input }) => input),
  refuses: procedures.handler(() => {
    throw new ORPCError('CONFLICT', { data: { n: 1n } })
  }),
  requests: procedures.handler(() => requests),
  count: procedures.handler(async function* ({ input, lastEventId }) {
    for (let n = Number(lastEventId ?? 0); n < input.to; n += 1) {
      yield withEventMeta({ n, at: new Date(n) }, { id: String(n + 1), retry: 1500, comments: ['c'] })
    }
    return 'counted'
  }),
  fails: procedures.handler(async function* () {
    yield 1
    throw new ORPCError('CONFLICT', { message: 'lost', data: { n: 1n } })
  }),
  crashes: procedures.handler(async function* () {
    yield 1
    throw new Error('secret')
  }),
  endless: procedures.handler(async function* ({ signal }) {
    running += 1
    try {
      yield 1
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    } finally {
      running -= 1
    }
  }),
  running: procedures.handler(() => running),
  total: procedures.handler(async ({ input }) => {
    let total = 0
    for await (const number of input) total += number
    return total
  }),
}

const handler = new RPCHandler(router, { plugins: [new BatchHandlerPlugin()] })
const server = createServer(async (request, response) => {
  requests += 1
  const { matched } = await handler.handle(request, response, { prefix: '/rpc', context: {} })
  if (!matched) response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found')
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })))
process.stdin.on('end', () => process.exit(0)).resume()
