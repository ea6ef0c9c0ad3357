import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { roleSchema, type Fault, type Role } from '../contract/index.ts'
import { writeFileAtomic } from '../config/atomic-file.ts'
import { parseJsonc } from '../config/parse.ts'
import { HubError } from '../hub-error.ts'

const usersFileSchema = z.strictObject({
  $schema: z.string().optional(),
  users: z.array(
    z.strictObject({
      name: z.string().min(1),
      passwordHash: z.string().regex(/^\$2[aby]\$/, 'a bcrypt hash'),
      role: roleSchema,
      disabled: z.boolean().optional(),
    }),
  ),
})
type UsersFile = z.infer<typeof usersFileSchema>
type User = UsersFile['users'][number]

const ISSUER = 'mcp-hub'
/** bcrypt reads no further; a longer password would be cut without a word. */
const MAX_PASSWORD_BYTES = 72
/** The salt and the digest of a hash that no known password has. */
const NO_PASSWORD = 'wXr4MgfAxBqbfUbMZyJz5uQ6yV1m0o3mX7gk0bq2VnN0a8d4fZyLe'

// Both are loaded when somebody signs in or sends an access token: most starts of a hub see neither.
const loadBcrypt = () => import('bcryptjs')
const loadJose = () => import('jose')

export interface Users {
  readonly empty: boolean
  /** One-time code for the first admin, while there is no user. */
  readonly setupCode: string | null
  login: (name: string, password: string) => Promise<{ name: string; role: Role; token: string; expiresIn: number }>
  setup: (code: string, name: string, password: string) => Promise<void>
  /** The user of an access token; null when it is not valid (any more). */
  verify: (token: string) => Promise<{ name: string; role: Role } | null>
}

export interface UsersOptions {
  configDir: string
  jwtSecret: Uint8Array
  /** Seconds that an access token is valid. */
  expiresIn: number
  bcryptRounds: number
  /** Creates the user `admin` with it when there is no user. */
  adminPassword: string | undefined
  setupEnabled: boolean
}

/** Users of `users.json` (bcrypt hashes, 0600) and their access tokens. Throws `BrokenUsers` with faults when the file is broken. */
export async function openUsers(options: UsersOptions): Promise<Users> {
  const file = join(options.configDir, 'users.json')
  let users = await load(file)
  let setupCode = users.length === 0 && options.setupEnabled ? randomBytes(16).toString('base64url') : null
  // Checked for unknown names too, so that the time taken does not tell who exists.
  const dummyHash = `$2b$${String(options.bcryptRounds).padStart(2, '0')}$${NO_PASSWORD}`

  async function create(name: string, password: string): Promise<void> {
    if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
      throw new HubError('HUB_BAD_REQUEST', `The password is longer than ${MAX_PASSWORD_BYTES} bytes`, {
        cure: 'Choose a shorter one: bcrypt would ignore the rest.',
      })
    }
    const bcrypt = await loadBcrypt()
    const user: User = { name, passwordHash: await bcrypt.hash(password, options.bcryptRounds), role: 'admin' }
    users = [...users, user]
    await writeFileAtomic(file, `${JSON.stringify({ users }, null, 2)}\n`, 0o600)
    setupCode = null
  }

  if (users.length === 0 && options.adminPassword !== undefined) await create('admin', options.adminPassword)

  return {
    get empty() {
      return users.length === 0
    },
    get setupCode() {
      return setupCode
    },
    login: async (name, password) => {
      const bcrypt = await loadBcrypt()
      const user = users.find((candidate) => candidate.name === name)
      const good = await bcrypt.compare(password, user?.passwordHash ?? dummyHash)
      if (!good || user === undefined || user.disabled === true)
        throw new HubError('HUB_LOGIN_FAILED', 'The user name or the password is wrong')
      const { SignJWT } = await loadJose()
      const token = await new SignJWT({ role: user.role })
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
        .setSubject(user.name)
        .setIssuer(ISSUER)
        .setAudience(ISSUER)
        .setIssuedAt()
        .setExpirationTime(`${options.expiresIn}s`)
        .sign(options.jwtSecret)
      return { name: user.name, role: user.role, token, expiresIn: options.expiresIn }
    },
    setup: async (code, name, password) => {
      if (users.length > 0) throw new HubError('HUB_CONFLICT', 'There is a user already', { cure: 'Sign in.' })
      if (setupCode === null || code !== setupCode)
        throw new HubError('HUB_LOGIN_FAILED', 'The setup code is wrong', {
          cure: 'Take it from the hub’s log; it is new at each start.',
        })
      await create(name, password)
    },
    verify: async (token) => {
      const { jwtVerify } = await loadJose()
      try {
        const { payload } = await jwtVerify(token, options.jwtSecret, {
          algorithms: ['HS256'],
          issuer: ISSUER,
          audience: ISSUER,
          typ: 'at+jwt',
        })
        // The role is read anew, so that a change of it is in force at once.
        const user = users.find((candidate) => candidate.name === payload.sub && candidate.disabled !== true)
        return user === undefined ? null : { name: user.name, role: user.role }
      } catch {
        return null
      }
    },
  }
}

export class BrokenUsers extends Error {
  readonly faults: Fault[]
  constructor(faults: Fault[]) {
    super('users.json is broken')
    this.faults = faults
  }
}

async function load(file: string): Promise<User[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) throw new BrokenUsers(parsed.faults)
  const result = usersFileSchema.safeParse(parsed.value.value)
  if (result.success) return result.data.users
  throw new BrokenUsers(
    result.error.issues.map((issue) => ({
      file,
      path: issue.path.join('.'),
      line: null,
      column: null,
      message: issue.message,
      cure: 'Correct users.json; a hash is made by setting the password in the UI.',
    })),
  )
}
