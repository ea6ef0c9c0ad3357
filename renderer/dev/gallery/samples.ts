import type { Fault } from '../../../hub/contract/index.ts'
import { ApiError } from '../../lib/problem.ts'
import type { Texts } from './texts.ts'

export const faultsOf = ({ sample }: Texts): readonly Fault[] => [
  {
    file: 'servers.json',
    path: 'mcpServers.memory.args',
    line: 12,
    column: 7,
    message: sample.fault,
    cure: sample.hint,
  },
  { file: null, path: 'mcpServers.memory', line: null, column: null, message: sample.fault, cure: sample.hint },
  { file: null, path: '', line: null, column: null, message: sample.longSentence, cure: sample.longHint },
]

export const problemsOf = (texts: Texts) => ({
  problem: new ApiError({
    kind: 'problem',
    request: 'GET /api/servers/memory',
    status: 409,
    code: 'HUB_NAME_TAKEN',
    message: texts.sample.fault,
    cure: texts.sample.hint,
  }),
  faults: new ApiError({
    kind: 'problem',
    request: 'PUT /api/servers/memory',
    status: 422,
    code: 'HUB_CONFIG_INVALID',
    message: texts.sample.sentence,
    cure: texts.sample.longHint,
    faults: faultsOf(texts).slice(0, 2),
  }),
  unreachable: new ApiError({ kind: 'unreachable', request: 'GET /api/servers', message: 'Failed to fetch' }),
  unexpected: new ApiError({
    kind: 'unexpected',
    request: 'GET /api/servers',
    status: 502,
    message: 'HTTP 502: Bad Gateway nginx',
  }),
  Error: new Error(texts.sample.sentence),
})
