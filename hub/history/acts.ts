import { PRUNED, type AuditAct, type ChainEnd } from './audit-chain.ts'

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
