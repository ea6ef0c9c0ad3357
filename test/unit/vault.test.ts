import { chmod, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { takeEnvironment } from '../../hub/config/environment.ts'
import { secretNameSchema, secretValueSchema, type FromHub } from '../../hub/contract/index.ts'
import type { BrokenFile } from '../../hub/faults.ts'
import { createControlVault } from '../../hub/secrets/control-vault.ts'
import { openServerVault } from '../../hub/secrets/server-vault.ts'
import { openSecretBox, type SafeStorage, type SecretBox } from '../../main/secret-box.ts'
import { openVault } from '../../main/secrets.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let dir: string
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
  dir = folder.path
})
afterEach(() => folder.dispose())

describe('the vault of server mode', () => {
  const KEY = 'k'.repeat(32)
  const broken: BrokenFile[] = []
  const open = (options: { key?: string; env?: Record<string, string>; own?: boolean } = {}) =>
    openServerVault({
      file: { path: path.join(dir, 'secrets.json'), key: options.key ?? null, own: options.own ?? true },
      env: (name) => options.env?.[name],
      onBroken: (error) => broken.push(error),
    })
  const onDisk = () => readFile(path.join(dir, 'secrets.json'), 'utf8')

  it('keeps values in a file of its user alone, over a restart', async () => {
    const first = await open()
    await Promise.all([first.set('A', 'one'), first.set('B', 'two')])
    expect(await first.delete('B')).toBe(true)
    expect(await first.delete('B')).toBe(false)
    await first.dispose()
    expect((await stat(path.join(dir, 'secrets.json'))).mode & 0o777).toBe(0o600)
    const second = await open()
    expect([second.get('A'), second.get('B'), second.names()]).toEqual(['one', undefined, ['A']])
    await second.dispose()
  })

  it('takes the environment first, and changes nothing that comes from there', async () => {
    await writeFile(path.join(dir, 'token'), 'from a file\n')
    const vault = await open({ env: { A: 'from the environment', B_FILE: path.join(dir, 'token'), C: '' } })
    await vault.set('C', 'kept')
    expect([vault.get('A'), vault.get('B'), vault.get('C')]).toEqual(['from the environment', 'from a file', 'kept'])
    expect([vault.sourceOf('A'), vault.sourceOf('B'), vault.sourceOf('C'), vault.sourceOf('D')]).toEqual([
      'environment',
      'environment',
      'vault',
      'missing',
    ])
    await expect(vault.set('A', 'x')).rejects.toMatchObject({ code: 'HUB_CONFLICT' })
    await expect(vault.delete('B')).rejects.toMatchObject({ code: 'HUB_CONFLICT' })
    await vault.dispose()
  })

  it.each([
    ['nowhere', 'cannot be read: ENOENT'],
    ['empty', 'is empty'],
    ['big', 'at most'],
  ])('says why the file of a secret gives no value: %s', async (name, problem) => {
    await writeFile(path.join(dir, 'empty'), '\n')
    await writeFile(path.join(dir, 'big'), 'x'.repeat(200_000))
    const vault = await open({ env: { A_FILE: path.join(dir, name) } })
    expect(vault.get('A')).toBeUndefined()
    expect(vault.explain('A')).toContain(problem)
    await vault.dispose()
  })

  it('hears of values that were changed on disk, also through a link that was replaced', async () => {
    await mkdir(path.join(dir, 'v1'))
    await mkdir(path.join(dir, 'v2'))
    await writeFile(path.join(dir, 'v1', 'token'), 'old')
    await writeFile(path.join(dir, 'v2', 'token'), 'new')
    await symlink('v1', path.join(dir, 'current'))
    const vault = await open({ env: { MOUNTED_FILE: path.join(dir, 'current', 'token') } })
    const changes: string[] = []
    vault.onChange((names) => changes.push(...names))
    expect(vault.get('MOUNTED')).toBe('old')
    await writeFile(path.join(dir, 'secrets.json'), '{ "WRITTEN": "by hand" }')
    await symlink('v2', path.join(dir, 'next'))
    await rename(path.join(dir, 'next'), path.join(dir, 'current'))
    await vi.waitFor(() => expect(changes.sort()).toEqual(['MOUNTED', 'WRITTEN']), { timeout: 4_000 })
    expect([vault.get('MOUNTED'), vault.get('WRITTEN')]).toEqual(['new', 'by hand'])
    await vault.dispose()
  })

  it('goes on with what it has when the file becomes unreadable, and writes nothing over it', async () => {
    const vault = await open()
    await vault.set('A', 'one')
    await writeFile(path.join(dir, 'secrets.json'), '{ "A": ')
    await vi.waitFor(() => expect(broken.at(-1)?.faults[0]).toMatchObject({ line: 1 }), { timeout: 10_000 })
    expect(vault.get('A')).toBe('one')
    await expect(vault.set('B', 'two')).rejects.toMatchObject({ code: 'HUB_CONFIG_FILE_BROKEN' })
    expect(await onDisk()).toBe('{ "A": ')
    await vault.dispose()
  })

  it('encrypts the file under a key, and opens it with no other', async () => {
    const plain = await open()
    await plain.set('A', 'value-of-a')
    await plain.dispose()
    const sealed = await open({ key: KEY })
    expect([sealed.quality, sealed.get('A')]).toEqual(['sealed', 'value-of-a'])
    await sealed.set('B', 'value-of-b')
    await sealed.dispose()
    expect(await onDisk()).not.toMatch(/value-of|"A"/)
    const again = await open({ key: KEY })
    expect([again.get('A'), again.get('B')]).toEqual(['value-of-a', 'value-of-b'])
    await again.dispose()
    await expect(open()).rejects.toMatchObject({
      faults: [{ message: expect.stringContaining('MCP_HUB_SECRETS_KEY') as string }],
    })
    await expect(open({ key: 'x'.repeat(32) })).rejects.toMatchObject({
      faults: [{ cure: expect.stringContaining('written with') as string }],
    })
  })

  it.each<[string, string, string]>([
    ['{ "A": 7 }', 'A', 'expected string'],
    ['{ "A": "" }', 'A', 'has a value'],
    ['[]', '', 'expected record'],
    ['{ "A": "topsecretvalue" "B": 1 }', '', 'Not valid JSON'],
  ])('refuses the file %s without quoting it', async (text, key, message) => {
    await writeFile(path.join(dir, 'secrets.json'), text)
    const { faults } = (await open().catch((error: unknown) => error)) as BrokenFile
    expect(faults[0]).toMatchObject({ file: path.join(dir, 'secrets.json'), path: key })
    expect(faults[0]?.message).toContain(message)
    expect(JSON.stringify(faults)).not.toContain('topsecretvalue')
  })

  it('closes its own file to others, and follows no link to it', async () => {
    await writeFile(path.join(dir, 'secrets.json'), '{ "A": "one" }')
    await chmod(path.join(dir, 'secrets.json'), 0o644)
    await (await open()).dispose()
    expect((await stat(path.join(dir, 'secrets.json'))).mode & 0o777).toBe(0o600)
    await rename(path.join(dir, 'secrets.json'), path.join(dir, 'elsewhere.json'))
    await symlink('elsewhere.json', path.join(dir, 'secrets.json'))
    await expect(open()).rejects.toMatchObject({ faults: [{ message: expect.stringContaining('link') as string }] })
    const named = await open({ own: false })
    expect(named.get('A')).toBe('one')
    await named.dispose()
  })
})

describe('the hub’s own secrets', () => {
  it('come from the environment or a file, and leave the environment', async () => {
    await writeFile(path.join(dir, 'jwt'), 'x'.repeat(40))
    const env: NodeJS.ProcessEnv = {
      JWT_SECRET_FILE: path.join(dir, 'jwt'),
      MCP_HUB_TOKEN: 't'.repeat(20),
      EMPTY: '',
      OTHER: 'y',
    }
    const { values, secrets, faults } = takeEnvironment(env)
    expect(faults).toEqual([])
    expect(values).toMatchObject({ JWT_SECRET: 'x'.repeat(40), MCP_HUB_TOKEN: 't'.repeat(20) })
    expect(values).not.toHaveProperty('EMPTY')
    expect(secrets).toEqual(['x'.repeat(40), 't'.repeat(20)])
    expect(env).toEqual({ EMPTY: '', OTHER: 'y' })
  })
  it('are told when a file is missing, or when there are two', () => {
    const { faults } = takeEnvironment({
      JWT_SECRET_FILE: '/nowhere',
      MCP_HUB_TOKEN: 'a',
      MCP_HUB_TOKEN_FILE: '/nowhere',
    })
    expect(faults.map(({ path: at, message }) => `${at}: ${message}`)).toEqual([
      'environment JWT_SECRET_FILE: /nowhere cannot be read: ENOENT',
      'environment MCP_HUB_TOKEN_FILE: MCP_HUB_TOKEN and MCP_HUB_TOKEN_FILE are both set, and only one of them can count',
    ])
  })
})

describe('the vault of the desktop, as the hub has it', () => {
  it('asks main for each change, and counts it only when main kept it', async () => {
    const sent: FromHub[] = []
    const { vault, onKept } = createControlVault({
      quality: 'os',
      location: 'keychain',
      secrets: { A: 'one' },
      send: (message) => sent.push(message),
    })
    const refused = vault.set('A', 'two')
    const kept = vault.set('B', 'three')
    await vi.waitFor(() => expect(sent).toHaveLength(1))
    onKept(1, 'the keychain is locked')
    await expect(refused).rejects.toMatchObject({ code: 'HUB_VAULT_UNAVAILABLE' })
    await vi.waitFor(() => expect(sent).toHaveLength(2))
    onKept(2, null)
    await kept
    expect([vault.get('A'), vault.get('B')]).toEqual(['one', 'three'])
    expect(sent).toEqual([
      { type: 'secret.keep', n: 1, name: 'A', value: 'two' },
      { type: 'secret.keep', n: 2, name: 'B', value: 'three' },
    ])
  })
})

describe('the vault of the desktop, as main keeps it', () => {
  const seal = (text: string): Buffer => Buffer.from(Buffer.from(text).map((byte) => byte ^ 0x5a))
  const box: SecretBox = {
    seal: (text) => Promise.resolve(seal(text)),
    open: (bytes) => Promise.resolve({ text: seal(bytes.toString('latin1')).toString('latin1'), stale: false }),
  }

  it('is sealed where there is a keychain, and in a file of this user alone where there is none', async () => {
    for (const [keychain, file] of [
      [box, 'vault.bin'],
      [null, 'vault.json'],
    ] as const) {
      const own = path.join(dir, file)
      const vault = await openVault(own, keychain)
      await Promise.all([vault.keep('A', 'value-of-a'), vault.keep('B', 'value-of-b')])
      await vault.keep('A', null)
      const text = await readFile(path.join(own, file), 'latin1')
      expect(text.includes('value-of-b')).toBe(keychain === null)
      expect((await stat(path.join(own, file))).mode & 0o777).toBe(0o600)
      const again = await openVault(own, keychain)
      expect(again).toMatchObject({ clientToken: vault.clientToken, secrets: { B: 'value-of-b' }, notice: null })
    }
  })

  it('moves into the keychain once there is one, with the same token', async () => {
    const before = await openVault(dir, null)
    await before.keep('A', 'one')
    const after = await openVault(dir, box)
    expect(after).toMatchObject({ quality: 'os', clientToken: before.clientToken, secrets: { A: 'one' } })
    expect(await readdir(dir)).toEqual(['vault.bin'])
  })

  it('says when the secrets are in a keychain that is not there now, and finds them when it is back', async () => {
    const sealed = await openVault(dir, box)
    await sealed.keep('A', 'one')
    const without = await openVault(dir, null)
    expect(without).toMatchObject({ quality: 'file', secrets: {}, notice: { code: 'sealed-away' } })
    await without.keep('B', 'two')
    expect(await openVault(dir, box)).toMatchObject({
      clientToken: sealed.clientToken,
      secrets: { A: 'one', B: 'two' },
    })
  })

  it('keeps a vault aside that it cannot open, and says so', async () => {
    await writeFile(path.join(dir, 'vault.json'), 'not a vault')
    const vault = await openVault(dir, null)
    expect(vault.notice).toMatchObject({ code: 'unreadable', file: expect.stringContaining('unreadable-') as string })
    expect(await readFile(vault.notice?.file ?? '', 'utf8')).toBe('not a vault')
  })

  const locked: SecretBox = { ...box, open: () => Promise.reject(new Error('temporarily unavailable')) }
  const stale: SecretBox = { ...box, open: async (bytes) => ({ ...(await box.open(bytes)), stale: true }) }

  it('leaves alone what the keychain does not open now, and takes nothing that it could not keep', async () => {
    const before = await openVault(dir, box)
    await before.keep('A', 'one')
    const without = await openVault(dir, locked)
    expect(without).toMatchObject({
      secrets: {},
      notice: { code: 'unavailable', file: path.join(dir, 'vault.bin'), cause: 'temporarily unavailable' },
    })
    await expect(without.keep('B', 'two')).rejects.toThrow('vault.bin could not be opened')
    expect(await readdir(dir)).toEqual(['vault.bin'])
    const again = await openVault(dir, box)
    expect(again).toMatchObject({ clientToken: before.clientToken, secrets: { A: 'one' }, notice: null })
  })

  it('loses neither of two vaults while one is not to be opened', async () => {
    const sealed = await openVault(dir, box)
    await (await openVault(dir, null)).keep('B', 'two')
    expect(await openVault(dir, locked)).toMatchObject({ secrets: { B: 'two' }, notice: { code: 'unavailable' } })
    expect(await openVault(dir, box)).toMatchObject({ clientToken: sealed.clientToken, secrets: { B: 'two' } })
  })

  it('writes over no vault that it could not read, also when another one is broken', async () => {
    await mkdir(path.join(dir, 'vault.json'))
    await writeFile(path.join(dir, 'vault.bin'), 'not a vault')
    const vault = await openVault(dir, box)
    expect(vault.notice).toMatchObject({ code: 'unavailable', file: path.join(dir, 'vault.json') })
    await expect(vault.keep('A', 'one')).rejects.toThrow('vault.json could not be opened')
  })

  it('goes on with the vault that it has when that cannot be sealed anew', async () => {
    const before = await openVault(dir, box)
    await before.keep('A', 'one')
    const seal = () => Promise.reject(new Error('no'))
    const after = await openVault(dir, { ...stale, seal })
    expect(after).toMatchObject({ clientToken: before.clientToken, secrets: { A: 'one' }, notice: null })
    expect(await openVault(dir, box)).toMatchObject({ secrets: { A: 'one' }, notice: null })
  })

  it('stays in its plain file until the keychain takes it', async () => {
    const before = await openVault(dir, null)
    await before.keep('A', 'one')
    let refuses = true
    const seal: SecretBox['seal'] = (text) => (refuses ? Promise.reject(new Error('no')) : box.seal(text))
    const after = await openVault(dir, { ...box, seal })
    expect(after).toMatchObject({ clientToken: before.clientToken, secrets: { A: 'one' } })
    expect(await readdir(dir)).toEqual(['vault.json'])
    refuses = false
    await after.keep('A', 'two')
    expect(await readdir(dir)).toEqual(['vault.bin'])
    expect(await openVault(dir, box)).toMatchObject({ secrets: { A: 'two' } })
  })

  it('follows no link', async () => {
    await writeFile(path.join(dir, 'elsewhere'), JSON.stringify({ clientToken: 't'.repeat(40), secrets: { A: 'one' } }))
    await symlink('elsewhere', path.join(dir, 'vault.json'))
    expect(await openVault(dir, null)).toMatchObject({ secrets: {}, notice: { code: 'unreadable' } })
  })

  it('seals anew when the keychain has another key', async () => {
    await openVault(dir, box)
    const sealed: string[] = []
    await openVault(dir, {
      seal: (text) => {
        sealed.push(text)
        return box.seal(text)
      },
      open: async (bytes) => ({ ...(await box.open(bytes)), stale: true }),
    })
    expect(sealed).toHaveLength(1)
  })
})

describe('the keychain', () => {
  const sync: SafeStorage = {
    getSelectedStorageBackend: () => 'gnome_libsecret',
    isEncryptionAvailable: () => true,
    encryptString: (text) => Buffer.from(`sync ${text}`),
    decryptString: (bytes) => bytes.toString().slice('sync '.length),
  }
  const async: SafeStorage = {
    ...sync,
    isAsyncEncryptionAvailable: () => Promise.resolve(true),
    encryptStringAsync: (text) => Promise.resolve(Buffer.from(`async ${text}`)),
    decryptStringAsync: (bytes) =>
      Promise.resolve({ result: bytes.toString().slice('async '.length), shouldReEncrypt: true }),
  }

  it.each([
    ['sync', sync, false],
    ['async', async, true],
  ] as const)('is used by its %s methods', async (name, storage, stale) => {
    const found = await openSecretBox(storage, 'linux')
    const bytes = await found?.seal('text')
    expect(bytes?.toString()).toBe(`${name} text`)
    expect(await found?.open(bytes ?? Buffer.alloc(0))).toEqual({ text: 'text', stale })
  })

  it.each<[string, Partial<SafeStorage>]>([
    ['a text that everybody can read', { getSelectedStorageBackend: () => 'basic_text' }],
    ['not known', { getSelectedStorageBackend: () => 'unknown' }],
    ['not available', { isAsyncEncryptionAvailable: () => Promise.resolve(false) }],
  ])('is no keychain when it is %s', async (_what, change) => {
    expect(await openSecretBox({ ...async, ...change }, 'linux')).toBeNull()
  })
})

describe('names and values', () => {
  it.each(['GITHUB_TOKEN', '_x', 'a.b-c', 'A'.repeat(128)])('%s is a name', (name) => {
    expect(secretNameSchema.safeParse(name).success).toBe(true)
  })
  it.each(['', '1A', 'a b', 'a/b', 'a:b', 'a}b', '__proto__', 'ключ', 'A'.repeat(129)])('%j is no name', (name) => {
    expect(secretNameSchema.safeParse(name).success).toBe(false)
  })
  it.each(['', 'a\0b', 'x'.repeat(32_769)])('refuses a value that nothing can hold', (value) => {
    expect(secretValueSchema.safeParse(value).success).toBe(false)
  })
})
