import { HubError } from '../hub-error.ts'

/**
 * What `work` answers, or `otherwise` while the store of sessions cannot be reached (HUB_STORE_UNAVAILABLE). For what follows an
 * act that is in users.json by then: told as a failure it would be tried again, and a password that was made would be lost.
 */
export async function unlessAway<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof HubError && error.code === 'HUB_STORE_UNAVAILABLE') return otherwise
    throw error
  }
}
