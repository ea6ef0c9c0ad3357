import type { Act } from '../auth/audit.ts'
import type { PushStatus } from '../contract/index.ts'
import { PRUNED, type AuditAct, type ChainEnd } from './audit-chain.ts'
import { unsaid } from '../say.ts'

const MAX_TARGET = 300

const ofTheHub: AuditAct = {
  at: 0,
  actor: 'hub',
  actorName: 'MCP Hub',
  role: null,
  address: null,
  action: '',
  target: null,
  outcome: 'done',
  status: null,
  details: null,
  requestId: null,
}

/** The act that stands for entries which the retention deleted. */
export function prunedAct(last: ChainEnd, at: number): AuditAct {
  return { ...ofTheHub, at, action: PRUNED, details: JSON.stringify({ through: last.seq, hash: last.hash }) }
}

/** What users, keys and sign-ins tell of themselves. */
export function identityAct({ action, by, target, address, ok, details }: Act): AuditAct {
  return {
    ...ofTheHub,
    at: Date.now(),
    actor: by?.id ?? 'anonymous',
    actorName: by?.name ?? 'anonymous',
    address: address ?? null,
    action,
    target: target?.slice(0, MAX_TARGET) ?? null,
    outcome: ok === false ? 'refused' : 'done',
    details: details === undefined ? null : JSON.stringify(details),
  }
}

/** What became of a configuration that was pushed. */
export function pushAct({ id, by, state, failures }: PushStatus): AuditAct {
  return {
    ...ofTheHub,
    at: Date.now(),
    action: `config.push-${state}`,
    target: id,
    outcome: state === 'kept' || state === 'watching' ? 'done' : 'failed',
    details: JSON.stringify({ by, ...(failures.length === 0 ? {} : { failures: failures.map(unsaid) }) }),
  }
}

/** The files of CONFIG_DIR were changed by somebody else than the hub: who, only the system can tell. */
export function configChangedAct(faults: number): AuditAct {
  return {
    ...ofTheHub,
    at: Date.now(),
    actor: 'file',
    actorName: 'CONFIG_DIR',
    action: 'config.changed',
    outcome: faults === 0 ? 'done' : 'failed',
    details: faults === 0 ? null : JSON.stringify({ faults }),
  }
}
