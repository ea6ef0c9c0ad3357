import { say, wordsFrom, type Said } from '../say.ts'
import { everywhere, forbiddenAddress, internetOnly } from '../upstream/network/addresses.ts'
import { blockedReason } from '../upstream/http-failures.ts'

/** What plain http: is refused with, wherever the receiver is. */
export const httpsOnly = (): Said => say`Only https: is safe there; allowPrivateAddresses lets the webhook use http:`

/** Why nothing would be sent to an address as it is now; names may lead elsewhere later, so it is looked at again then. */
export async function whyNotSentTo(address: string, isPrivate: boolean): Promise<Said | string | null> {
  const url = new URL(address)
  if (url.protocol !== 'https:' && !isPrivate) return httpsOnly()
  const blocked = await forbiddenAddress(url.hostname, isPrivate ? everywhere : internetOnly)
  return blocked === null ? null : wordsFrom(blockedReason(blocked), 'message')
}
