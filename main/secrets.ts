import { randomBytes } from 'node:crypto'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { safeStorage } from 'electron'
import { z } from 'zod'

const vaultSchema = z.object({ clientToken: z.string().min(32), secrets: z.record(z.string(), z.string()) })
type VaultContent = z.infer<typeof vaultSchema>

export interface Vault {
  /** `os`: sealed by the keychain. `file`: in a file that only this user can read; Settings says so. */
  readonly quality: 'os' | 'file'
  readonly clientToken: string
  readonly secrets: Record<string, string>
}

interface SecretBox {
  quality: 'os' | 'file'
  seal: (text: string) => Promise<Buffer>
  open: (bytes: Buffer) => Promise<string>
}

/** The operating system's keychain where there is a real one; `basic_text` only hides the text and protects nothing. */
async function chooseBox(): Promise<SecretBox> {
  // Electron 45 has asynchronous methods and deprecates the others, which are all that 42 has.
  const storage = safeStorage as unknown as {
    isAsyncEncryptionAvailable?: () => Promise<boolean>
    encryptStringAsync?: (text: string) => Promise<Buffer>
    decryptStringAsync?: (bytes: Buffer) => Promise<{ result: string }>
    isEncryptionAvailable: () => boolean
    encryptString: (text: string) => Buffer
    decryptString: (bytes: Buffer) => string
  }
  const backend = process.platform === 'linux' ? safeStorage.getSelectedStorageBackend() : 'os'
  const available =
    storage.isAsyncEncryptionAvailable === undefined
      ? storage.isEncryptionAvailable()
      : await storage.isAsyncEncryptionAvailable()
  if (!available || backend === 'basic_text' || backend === 'unknown') {
    return {
      quality: 'file',
      seal: (text) => Promise.resolve(Buffer.from(text)),
      open: (bytes) => Promise.resolve(bytes.toString()),
    }
  }
  const { encryptStringAsync, decryptStringAsync } = storage
  if (encryptStringAsync !== undefined && decryptStringAsync !== undefined) {
    return {
      quality: 'os',
      seal: (text) => encryptStringAsync.call(safeStorage, text),
      open: async (bytes) => (await decryptStringAsync.call(safeStorage, bytes)).result,
    }
  }
  return {
    quality: 'os',
    seal: (text) => Promise.resolve(storage.encryptString(text)),
    open: (bytes) => Promise.resolve(storage.decryptString(bytes)),
  }
}

/** Opens the vault, making it and the clients' token on first use. A vault that cannot be read is kept aside. */
export async function openVault(folder: string): Promise<Vault> {
  const box = await chooseBox()
  const file = path.join(folder, box.quality === 'os' ? 'vault.bin' : 'vault.json')
  const content = await read(file, box)
  if (content !== null) return { quality: box.quality, ...content }
  const fresh: VaultContent = { clientToken: randomBytes(32).toString('base64url'), secrets: {} }
  await writeFile(`${file}.tmp`, await box.seal(JSON.stringify(fresh)), { mode: 0o600 })
  await rename(`${file}.tmp`, file)
  return { quality: box.quality, ...fresh }
}

async function read(file: string, box: SecretBox): Promise<VaultContent | null> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
    await chmod(file, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    return vaultSchema.parse(JSON.parse(await box.open(bytes)))
  } catch {
    await rename(file, `${file}.unreadable-${Date.now()}`)
    return null
  }
}
