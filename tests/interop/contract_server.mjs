// A real @orpc/server that implements `contract.mjs`. Prints `{"port": n}` once it listens and ends when its
// standard input closes.
import { createServer } from 'node:http'
import { implement } from '@orpc/server'
import { RPCHandler } from '@orpc/server/node'
import { SimpleCsrfProtectionHandlerPlugin } from '@orpc/server/plugins'
import { contract } from './contract.mjs'

const seenAt = new Date('2024-02-29T12:34:56.789Z')
const os = implement(contract).$context()

const router = os.router({
  planets: {
    find: os.planets.find.handler(({ input, errors, context }) => {
      if (input.id !== 1) throw errors.PLANET_NOT_FOUND({ data: { id: input.id } })
      return { id: 1, name: context.method, seenAt }
    }),
    create: os.planets.create.handler(({ input }) => ({ id: 2, ...input })),
    visit: os.planets.visit.handler(({ input, errors }) => {
      if (input.id === 1) return
      if (input.id === 2) throw errors.CLOSED({ data: { until: seenAt } })
      throw errors.UNAUTHORIZED()
    }),
    watch: os.planets.watch.handler(async function* ({ input }) {
      yield { id: input.id, name: 'seen', seenAt }
      return 1
    }),
  },
  serverTime: os.serverTime.handler(() => seenAt),
})

const handler = new RPCHandler(router, { plugins: [new SimpleCsrfProtectionHandlerPlugin()] })

const server = createServer(async (request, response) => {
  const context = { method: request.method }
  const { matched } = await handler.handle(request, response, { prefix: '/rpc', context })
  if (!matched) response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found')
})

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })))
process.stdin.on('end', () => process.exit(0)).resume()
