// A real oRPC server that receives and sends files under /rpc. Prints `{"port": n}` once it listens and ends when its
// standard input closes, so it never outlives the test session that started it.
// usage: node files_server.mjs <package>
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const [packageName] = process.argv.slice(2)
const { ORPCError, os } = await import(packageName)
const { RPCHandler } = await import(`${packageName}/node`)
const { BatchHandlerPlugin } = await import(`${packageName}/plugins`)

const facts = async (file) => ({
  name: file.name,
  type: file.type,
  size: file.size,
  sha: createHash('sha256').update(Buffer.from(await file.arrayBuffer())).digest('hex').slice(0, 16),
})

const router = {
  ping: os.handler(() => 'pong'),
  nothing: os.handler(() => undefined),
  facts: os.handler(({ input }) => facts(input.file)),
  whole: os.handler(({ input }) => facts(input)),
  echo: os.handler(({ input }) => input),
  download: os.handler(() => new File(['hello wörld\n'], 'naïve "quote" 🌍;x=1.txt', { type: 'text/plain' })),
  large: os.handler(() => new File([new Uint8Array(5 * 1024 * 1024).map((_, index) => index % 251)], 'large.bin')),
  nested: os.handler(() => ({
    at: new Date(0),
    list: [new File(['A'], 'a.csv', { type: 'text/csv' }), new Blob(['B'], { type: 'application/x-b' })],
  })),
  count: os.handler(async function* ({ input }) {
    for (let i = 0; i < input.to; i++) yield { i, at: new Date(i) }
    return 'counted'
  }),
  errors: {
    notFound: os.handler(() => {
      throw new ORPCError('NOT_FOUND', { message: 'No such item', data: { id: 7n } })
    }),
    plain: os.handler(() => {
      throw new Error('the password is hunter2')
    }),
    gone: os.handler(() => {
      throw new ORPCError('GONE')
    }),
  },
  bytes: os.handler(
    () =>
      new ReadableStream({
        start(controller) {
          for (const piece of ['raw ', 'bytes']) controller.enqueue(new TextEncoder().encode(piece))
          controller.close()
        },
      }),
  ),
}

const handler = new RPCHandler(router, { plugins: [new BatchHandlerPlugin()] })

const server = createServer(async (request, response) => {
  const { matched } = await handler.handle(request, response, { prefix: '/rpc', context: {} })
  if (!matched) response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found')
})

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })))
process.stdin.on('end', () => process.exit(0)).resume()
