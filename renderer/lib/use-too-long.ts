import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'

/** Said at a field, in place of cutting off unseen what somebody pastes; null where it fits. */
export function useTooLong(max: number, text: () => string): ComputedRef<string | null> {
  const { t } = useI18n()
  return computed(() => {
    const { length } = text().trim()
    return length <= max ? null : t('common.tooLong', { n: length, max })
  })
}
