import { capabilitiesOfProfile, type Call } from '../gateway/call.ts'
import { McpError, rpc, type Params } from '../gateway/json-rpc.ts'
import { MAX_SERVER_DEPTH, isDeeperThan } from '../gateway/message-shape.ts'

/** A request of the hub's own, which nobody can be asked about. */
export function hubCall(
  method: string,
  params: Params | undefined,
  clientInfo: unknown,
  profile: string,
  resolve: (result: unknown) => void,
  reject: (error: McpError) => void,
): Call {
  return {
    method,
    params,
    clientEra: 'modern',
    owner: 'hub',
    principal: 'hub',
    capabilities: capabilitiesOfProfile(profile),
    clientInfo,
    progressToken: undefined,
    logLevel: undefined,
    wantsLogs: false,
    paramHeaders: undefined,
    notify: () => undefined,
    ask: ({ method: asked }) =>
      Promise.reject(new McpError(rpc.noOwner, `The hub cannot answer ${asked} for a person`)),
    finish: (reply) => {
      const { result, error } = reply.message
      if (error === undefined) resolve(result)
      else
        reject(
          new McpError(error.code, error.message, isDeeperThan(MAX_SERVER_DEPTH, error.data) ? undefined : error.data),
        )
    },
  }
}
