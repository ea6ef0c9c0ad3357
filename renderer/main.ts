import './lib/zod-config.ts'
import { VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp, watch } from 'vue'
import { toast } from 'vue-sonner'
import App from './app/App.vue'
import { loadAhead } from './app/load-ahead.ts'
import { createAppRouter } from './app/router.ts'
import { commandsKey, createCommandRegistry } from './lib/commands.ts'
import { connectDesktop, reportPageErrors } from './lib/desktop-sync.ts'
import { createAppI18n, setLocale } from './lib/i18n.ts'
import { tellMissingCode } from './lib/missing-code.ts'
import { usePreferences } from './lib/preferences.ts'
import { errorText } from './lib/problem.ts'
import { createQueryClient } from './lib/query-client.ts'
import './styles.css'

reportPageErrors()

const queryClient = createQueryClient()
const pinia = createPinia()
const preferences = usePreferences(pinia)
const router = createAppRouter(queryClient)
await connectDesktop(router, preferences, (error) =>
  toast.error(i18n.global.t('settings.saveFailed'), { description: errorText(error) }),
)
const i18n = await createAppI18n(preferences.locale)
watch(
  () => preferences.locale,
  (locale) => void setLocale(i18n, locale),
)

const app = createApp(App)
app.use(pinia).use(i18n).use(VueQueryPlugin, { queryClient }).use(router)
app.provide(commandsKey, createCommandRegistry())
tellMissingCode(router, i18n.global.t)
// A page that cannot be loaded is told within the frame.
await router.isReady().catch(() => undefined)
app.mount('#app')
loadAhead(router, document)
