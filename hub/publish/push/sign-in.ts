import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import type { ConnectConfig, ParsedKey } from 'ssh2'
import type { SshHost } from '../../contract/push.ts'
import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'
import type { Asker } from './run.ts'
import { ssh2 } from './ssh2.ts'

const MAX_TRIES = 3
/** OpenSSH's agent of Windows. */
const WINDOWS_AGENT = '\\\\.\\pipe\\openssh-ssh-agent'

/** What ssh2 needs to sign in as a host wants it. A passphrase is asked for, and lives as long as the answer of this. */
export async function signInTo(
  { signIn, user }: SshHost,
  ask: Asker,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Pick<ConnectConfig, 'username' | 'agent' | 'privateKey' | 'authHandler'>> {
  if (signIn.method === 'agent') {
    const agent = env['SSH_AUTH_SOCK'] ?? (process.platform === 'win32' ? WINDOWS_AGENT : undefined)
    if (agent === undefined || agent === '')
      throw new HubError('HUB_TARGET_SIGN_IN_FAILED', say`There is no SSH agent here: SSH_AUTH_SOCK is not set`, {
        cure: say`Start one and add the key to it (ssh-add), or name a key file.`,
      })
    return { username: user, agent, authHandler: ['agent'] }
  }
  const file = signIn.file.replace(/^~(?=[/\\])/, homedir())
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new HubError('HUB_TARGET_SIGN_IN_FAILED', say`The key ${file} cannot be read: ${(error as Error).message}`, {
      cure: say`Name the file of a private key that this user may read.`,
    })
  })
  // What was understood, without the passphrase that it took.
  const key = await readKey(text, signIn.file, ask)
  return { username: user, privateKey: key, authHandler: [{ type: 'publickey', username: user, key }] } as never
}

async function readKey(text: string, file: string, ask: Asker): Promise<ParsedKey> {
  const { utils } = await ssh2()
  // For OpenSSH's own format it is a list of one, whatever its types say.
  const parse = (passphrase?: string): ParsedKey | Error =>
    [utils.parseKey(text, passphrase)].flat()[0] ?? new Error('it holds no key')
  let parsed = parse()
  for (let tries = 0; isEncrypted(parsed) && tries < MAX_TRIES; tries++)
    parsed = parse(await ask.secret({ kind: 'passphrase', file, wrong: tries > 0 }))
  if (isEncrypted(parsed))
    throw new HubError('HUB_TARGET_SIGN_IN_FAILED', say`The passphrase of ${file} was wrong ${MAX_TRIES} times`, {
      cure: say`Try again, or add the key to an SSH agent.`,
    })
  if (parsed instanceof Error)
    throw new HubError('HUB_TARGET_SIGN_IN_FAILED', say`${file} is no private key: ${parsed.message}`, {
      cure: say`Name a private key in the format of OpenSSH, PEM or PuTTY.`,
    })
  if (!parsed.isPrivateKey())
    throw new HubError('HUB_TARGET_SIGN_IN_FAILED', say`${file} holds a public key`, {
      cure: say`Name the private key, which has the same name without .pub.`,
    })
  return parsed
}

const isEncrypted = (parsed: unknown): boolean =>
  parsed instanceof Error && /no passphrase given|bad passphrase|integrity check failed/i.test(parsed.message)
