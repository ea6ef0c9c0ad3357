import { mkdir, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { fixedCaller, type Caller } from '../auth/caller.ts'
import { openIdentity, type Identity, type People } from '../auth/identity.ts'
import { createClusterSource } from '../cluster/cluster-source.ts'
import type { Documents } from '../config/documents.ts'
import { openDocuments } from '../config/open-documents.ts'
import { givenFolder, givenText, systemOverrides, type Given } from '../config/read-settings.ts'
import { openConfigStore } from '../config/store.ts'
import { roleGrants } from '../contract/index.ts'
import { BrokenFile } from '../faults.ts'
import { identityAct } from '../history/acts.ts'
import type { AuditAct } from '../history/audit-chain.ts'
import { HubError } from '../hub-error.ts'
import type { Log } from '../observe/log.ts'
import { appendAudit } from './audit.ts'
import { CommandError, exitCodes, type Io, type Values } from './command.ts'
import { refuseFaults, settingsHere } from './settings-here.ts'

export interface OpenedIdentity extends People {
  keys: Identity['keys']
  /** Who is at the console. */
  operator: Caller
}

/**
 * Users and keys without a hub, or beside one that runs: it sees the change of users.json, in its file or in DATABASE_URL, and
 * both count wrong passwords in the same store (REDIS_URL, or DATA_DIR).
 */
export async function withIdentity<T>(
  values: Values,
  io: Io,
  work: (opened: OpenedIdentity) => Promise<T>,
): Promise<T> {
  const { given } = settingsHere(values, io)
  const configDir = path.resolve(givenFolder(given, 'CONFIG_DIR'))
  const dataDir = path.resolve(givenFolder(given, 'DATA_DIR'))
  // A typing error would make users that no hub knows.
  const isFolder = await stat(configDir).then(
    (entry) => entry.isDirectory(),
    () => false,
  )
  if (!isFolder)
    throw new CommandError(
      `${configDir} is no folder.`,
      'Give the hub’s with --config or CONFIG_DIR.',
      exitCodes.config,
    )
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const databaseUrl = givenText(given, 'DATABASE_URL') ?? null
  // References are left alone: values that only the hub knows are no reason to forget its rules, and none of them is needed here.
  const documents = await openDocuments({
    configDir,
    dataDir,
    databaseUrl,
    sources: undefined,
    log: () => undefined,
  }).catch(explain)
  const acts: AuditAct[] = []
  try {
    return await withDocuments(documents, { given, dataDir, io, audit: (act) => acts.push(act) }, work)
  } finally {
    await documents.dispose()
    // Of a file that changed the hub's own audit log tells; what is done to the database nobody else notes.
    if (databaseUrl !== null && acts.length > 0) await appendAudit(databaseUrl, acts).catch(unaudited)
  }
}

async function withDocuments<T>(
  documents: Documents,
  { given, dataDir, io, audit }: { given: Given; dataDir: string; io: Io; audit: (act: AuditAct) => void },
  work: (opened: OpenedIdentity) => Promise<T>,
): Promise<T> {
  const store = await openConfigStore(documents, undefined, systemOverrides(given))
  const log: Log = (level, message, data) => {
    if (level === 'error') io.err(`${message}: ${JSON.stringify(data)}\n`)
  }
  const cluster = createClusterSource({
    redisUrl: givenText(given, 'REDIS_URL') ?? null,
    dir: givenText(given, 'ACCOUNTS_DIR') ?? dataDir,
    log,
  })
  const operator = consoleCaller()
  try {
    // With a fault the defaults are in force, which may ask less of a password.
    refuseFaults(store.faults.filter(({ file }) => file === documents.placeOf('system')))
    const identity = await openIdentity({
      mode: 'server',
      documents,
      dataDir,
      // With one there is no first run to be set up.
      tokens: [{ value: randomBytes(32).toString('hex'), caller: operator }],
      // Nothing is signed here.
      signingKeys: [randomBytes(32)],
      auth: () => store.system.auth ?? {},
      adminPassword: undefined,
      openCluster: cluster.open,
      announceSetup: () => undefined,
      log,
      audit: (act) => {
        audit(identityAct(act))
      },
    }).catch(explain)
    try {
      const people = await identity.people()
      if (people === null) throw new Error('A hub in server mode has users')
      return await work({ ...people, keys: identity.keys, operator })
    } finally {
      await identity.dispose()
    }
  } finally {
    await cluster.dispose()
    await store.dispose()
  }
}

function unaudited(error: unknown): never {
  throw new CommandError(
    `It was done, but the audit log does not have it: ${error instanceof Error ? error.message : String(error)}`,
    'Let the database’s user write hub_audit.',
    exitCodes.unavailable,
  )
}

/** Who types the command. */
export function consoleCaller(): Caller {
  const name = userInfo().username
  return fixedCaller(`console:${name}`, name, 'admin', roleGrants.admin)
}

/** What keeps the documents from being opened, as a fault that a person can mend. */
export function explain(error: unknown): never {
  if (error instanceof BrokenFile)
    throw new CommandError(error.message, 'Correct what is named, and try again.', exitCodes.config)
  if (error instanceof HubError) throw new CommandError(error.message, error.cure ?? '', exitCodes.unavailable)
  throw error
}
