import { useQueryClient } from '@tanstack/vue-query'
import { useI18n } from 'vue-i18n'
import { toast } from 'vue-sonner'
import type { Profile, ProfileSummary } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import { errorText } from '../../lib/problem.ts'
import { keys } from '../../lib/queries.ts'

/** Saves a profile as it was changed elsewhere than in its editor, and offers to take that back; rejects where it is another by now. */
export function useSaveProfile(): (
  before: Pick<ProfileSummary, 'name' | 'config' | 'etag'>,
  next: Profile,
) => Promise<void> {
  const { t } = useI18n()
  const client = useQueryClient()

  async function write(name: string, config: Profile, etag: string): Promise<string> {
    const written = await api.saveProfile(name, config, undefined, etag)
    await client.invalidateQueries({ queryKey: keys.profiles })
    return written.etag
  }

  return async ({ name, config, etag }, next) => {
    const written = await write(name, next, etag)
    toast.success(t('profiles.saved', { name }), {
      duration: 10_000,
      action: {
        label: t('common.undo'),
        onClick: () =>
          void write(name, config, written).catch((reason: unknown) =>
            toast.error(t('profiles.undoFailed'), { description: errorText(reason) }),
          ),
      },
    })
  }
}
