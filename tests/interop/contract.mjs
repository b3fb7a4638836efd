// The contract of `test_contract.py`, as a TypeScript application writes it.
import { eventIterator, oc } from '@orpc/contract'
import { z } from 'zod'

const planet = z.object({ id: z.number(), name: z.string(), seenAt: z.date() })
const find = z.object({ id: z.number() })

export const contract = {
  planets: {
    find: oc
      .route({ method: 'GET' })
      .input(find)
      .output(planet)
      .errors({ PLANET_NOT_FOUND: { status: 404, message: 'No such planet', data: find } }),
    create: oc.input(z.object({ name: z.string(), seenAt: z.date() })).output(planet),
    visit: oc
      .input(find)
      .errors({ CLOSED: { status: 409, data: z.object({ until: z.date() }) }, UNAUTHORIZED: {} }),
    watch: oc.input(find).output(eventIterator(planet, z.number())),
  },
  serverTime: oc.route({ method: 'GET' }).output(z.date()),
}
