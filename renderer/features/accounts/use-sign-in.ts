import { useQueryClient } from '@tanstack/vue-query'
import { reactive, shallowRef, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { toast } from 'vue-sonner'
import { api } from '../../lib/api.ts'
import { copyText } from '../../lib/clipboard.ts'
import { hubText } from '../../lib/hub-text.ts'
import { ApiError, describeError } from '../../lib/problem.ts'
import { keys } from '../../lib/queries.ts'

/** A server that signs in elsewhere than before: nothing goes there until a person agrees. */
export interface IssuerQuestion {
  readonly server: string
  readonly issuer: string
  readonly message: string
}

export interface SignIn {
  /** Servers that something is being done to. */
  readonly busy: ReadonlySet<string>
  readonly question: ShallowRef<IssuerQuestion | null>
  /** Opens the service's own page in the browser. */
  signIn: (server: string, acceptIssuer?: string) => Promise<void>
  signOut: (server: string) => Promise<void>
}

export function useSignIn(): SignIn {
  const { t } = useI18n()
  const client = useQueryClient()
  const busy = reactive(new Set<string>())
  const question = shallowRef<IssuerQuestion | null>(null)

  async function once(server: string, title: string, work: () => Promise<void>): Promise<void> {
    if (busy.has(server)) return
    busy.add(server)
    try {
      await work()
    } catch (error) {
      toast.error(title, {
        description:
          error instanceof ApiError
            ? [hubText(error, 'message'), hubText(error, 'cure')].filter(Boolean).join(' ')
            : String(error),
        duration: 12_000,
        action: { label: t('common.copyDetails'), onClick: () => void copyText(describeError(error)) },
      })
    } finally {
      busy.delete(server)
    }
  }

  return {
    busy,
    question,
    signIn: (server, acceptIssuer) =>
      once(server, t('accounts.signInFailed', { server }), async () => {
        try {
          const { authorizationUrl } = await api.signIn(server, acceptIssuer)
          const open = (): unknown => window.open(authorizationUrl, '_blank', 'noopener')
          open()
          // A browser may have held the page back.
          toast(t('accounts.goOn', { server }), {
            duration: 20_000,
            action: { label: t('accounts.openPage'), onClick: () => void open() },
          })
        } catch (error) {
          const issuer = error instanceof ApiError && error.code === 'HUB_ISSUER_CHANGED' ? error.faults[0] : undefined
          if (issuer === undefined || !(error instanceof ApiError)) throw error
          question.value = { server, issuer: issuer.message, message: hubText(error, 'message') }
        }
      }),
    signOut: (server) =>
      once(server, t('accounts.signOutFailed', { server }), async () => {
        const answer = await api.signOut(server)
        await client.invalidateQueries({ queryKey: keys.accounts })
        if (answer.revoked) toast(t('accounts.signedOut', { server }))
        else
          toast.warning(t('accounts.notRevoked', { server }), {
            description: hubText(answer, 'message') ?? '',
            duration: 12_000,
          })
      }),
  }
}
