import { parseArgs } from 'node:util'
import { createAnswerer, type Era } from './answers.ts'
import { serveHttp } from './upstream-http.ts'
import { serveStdio } from './upstream-stdio.ts'

/** The fixture server that every contender stands in front of: `upstream [--http PORT] [--era legacy|modern] [--tools N]`. */
const { values } = parseArgs({
  options: {
    http: { type: 'string' },
    era: { type: 'string', default: 'legacy' },
    tools: { type: 'string', default: '4' },
  },
})
const era = values.era as Era
const answer = createAnswerer({ era, tools: Number(values.tools) })
if (values.http === undefined) serveStdio(answer)
else serveHttp(answer, { era, port: Number(values.http) })
