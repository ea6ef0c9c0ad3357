/** What of Electron's `safeStorage` is used. Electron 45 has the asynchronous methods and deprecates the others, which are all that 42 has. */
export interface SafeStorage {
  getSelectedStorageBackend?: () => string
  isAsyncEncryptionAvailable?: () => Promise<boolean>
  encryptStringAsync?: (text: string) => Promise<Buffer>
  decryptStringAsync?: (bytes: Buffer) => Promise<{ result: string; shouldReEncrypt?: boolean }>
  isEncryptionAvailable: () => boolean
  encryptString: (text: string) => Buffer
  decryptString: (bytes: Buffer) => string
}

/** The keychain of the operating system, as a way to seal a text. */
export interface SecretBox {
  seal: (text: string) => Promise<Buffer>
  /** `stale` asks to seal it anew: the keychain has another key by now. */
  open: (bytes: Buffer) => Promise<{ text: string; stale: boolean }>
}

/** Null where there is no keychain, or only `basic_text`, which hides the text behind a key that everybody knows. */
export async function openSecretBox(storage: SafeStorage, platform: NodeJS.Platform): Promise<SecretBox | null> {
  const { encryptStringAsync, decryptStringAsync } = storage
  const available =
    storage.isAsyncEncryptionAvailable === undefined
      ? storage.isEncryptionAvailable()
      : await storage.isAsyncEncryptionAvailable()
  const backend = platform === 'linux' ? (storage.getSelectedStorageBackend?.() ?? 'unknown') : 'os'
  if (!available || backend === 'basic_text' || backend === 'unknown') return null
  if (encryptStringAsync !== undefined && decryptStringAsync !== undefined)
    return {
      seal: (text) => encryptStringAsync.call(storage, text),
      open: async (bytes) => {
        const { result, shouldReEncrypt } = await decryptStringAsync.call(storage, bytes)
        return { text: result, stale: shouldReEncrypt === true }
      },
    }
  return {
    seal: (text) => Promise.resolve(storage.encryptString(text)),
    open: (bytes) => Promise.resolve({ text: storage.decryptString(bytes), stale: false }),
  }
}
