import { AppBridge, type McpUiHostContext } from '@modelcontextprotocol/ext-apps/app-bridge'
import { onScopeDispose, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { appFrameUrl } from '../../../../hub/contract/app-frame.ts'
import type { ToolEntry } from '../../../../hub/contract/index.ts'
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { readBlock, type Block } from '../result/content.ts'
import { createAppCalls, type AppCalls, type AppPage } from './app-calls.ts'
import { frameHeight, MIN_HEIGHT, START_MS } from './app-limits.ts'
import { createAppMessages, type AppMessages } from './app-messages.ts'
import type { AppResource } from './app-resource.ts'
import { createAppTransport } from './app-transport.ts'

/** Why an app was stopped; `silent` only says that it has not begun. */
export type AppFailure = 'frame' | 'silent' | 'flood' | 'message' | 'again'

export interface App {
  /** The frame's address, once somebody listens to it. */
  readonly src: Readonly<ShallowRef<string | undefined>>
  readonly height: Readonly<ShallowRef<number>>
  /** Whether it says that it can. */
  readonly canFill: Readonly<ShallowRef<boolean>>
  readonly state: Readonly<ShallowRef<'starting' | 'running' | 'closed'>>
  readonly failure: Readonly<ShallowRef<AppFailure | null>>
  readonly messages: AppMessages
  /** What it told the model, which there is none of here: its last message and context. */
  readonly said: Readonly<ShallowRef<readonly Block[]>>
  readonly calls: AppCalls
  /** To be told of each `load` of the frame. */
  readonly frameLoaded: () => void
  /** Lets it end what it does, for a second at most, and takes the frame away. */
  close: () => Promise<void>
}

/** The host of one app in one frame. Ends with the component. */
export function useApp(options: {
  frame: Readonly<Ref<HTMLIFrameElement | null>>
  resource: AppResource
  tool: ToolEntry
  args: JsonObject
  result: unknown
  context: () => McpUiHostContext
  /** Whether it fills the window. */
  fills: Ref<boolean>
  /** Whether the person did something in the frame just now. */
  isActive: () => boolean
  page: AppPage
}): App & { start: () => Promise<void> } {
  const { resource, tool } = options
  const src = shallowRef<string>()
  const height = shallowRef(MIN_HEIGHT * 3)
  const state = shallowRef<'starting' | 'running' | 'closed'>('starting')
  const failure = shallowRef<AppFailure | null>(null)
  const said = shallowRef<readonly Block[]>([])
  const messages = createAppMessages()
  const { fills } = options
  const canFill = shallowRef(false)
  const calls = createAppCalls(tool.server, options.page)
  const frame = { ready: false, loaded: false, handedOver: false }
  let timer: ReturnType<typeof setTimeout> | undefined
  /** The frame on its last way, once its page is left. */
  let parting: HTMLIFrameElement | null = null

  const bridge = new AppBridge(
    null,
    { name: 'MCP Hub', version: '1' },
    {
      openLinks: {},
      serverTools: {},
      serverResources: {},
      downloadFile: {},
      sampling: {},
      logging: {},
      message: { text: {}, image: {}, audio: {}, resource: {}, resourceLink: {}, structuredContent: {} },
      updateModelContext: { text: {}, structuredContent: {} },
      sandbox: { permissions: {}, csp: mutable(resource.domains.allowed) },
    },
    { hostContext: { ...options.context(), toolInfo: { tool: definition(tool) } } },
  )

  function end(why: AppFailure | null): void {
    clearTimeout(timer)
    state.value = 'closed'
    fills.value = false
    failure.value = why
    calls.stop()
    void bridge.close()
  }
  function within(why: AppFailure): void {
    clearTimeout(timer)
    timer = setTimeout(() => (why === 'silent' ? (failure.value = why) : end(why)), START_MS)
  }

  /** Once it is loaded, so that what it loads from then on is the app, once, and after that something else. */
  function handOver(): void {
    if (!frame.ready || !frame.loaded) return
    frame.handedOver = true
    frame.loaded = false
    within('silent')
    void bridge.sendSandboxResourceReady({ html: resource.html })
  }
  function frameLoaded(): void {
    if (frame.handedOver && frame.loaded) {
      end('again')
      return
    }
    frame.loaded = true
    if (!frame.handedOver) handOver()
  }
  bridge.addEventListener('sandboxready', () => {
    if (frame.ready) return
    frame.ready = true
    handOver()
  })
  bridge.addEventListener('initialized', () => {
    if (state.value !== 'starting') return
    clearTimeout(timer)
    failure.value = null
    state.value = 'running'
    canFill.value = modesOf(bridge)?.includes('fullscreen') === true
    void bridge.sendToolInput({ arguments: options.args })
    if (isObject(options.result))
      void bridge.sendToolResult(options.result as Parameters<typeof bridge.sendToolResult>[0])
  })
  bridge.addEventListener('sizechange', (size) => (height.value = frameHeight(size.height) ?? height.value))
  bridge.addEventListener('requestteardown', () => void close())
  bridge.oncalltool = (params, { mcpReq }) => calls.callTool(params.name, params.arguments ?? {}, mcpReq.signal)
  bridge.onreadresource = (params, { mcpReq }) => calls.readResource(params.uri, mcpReq.signal)
  bridge.onlistresources = (_params, { mcpReq }) => calls.listResources(mcpReq.signal)
  bridge.onlistresourcetemplates = (_params, { mcpReq }) => calls.listTemplates(mcpReq.signal)
  bridge.oncreatesamplingmessage = async (params, { mcpReq }) =>
    (await calls.createMessage(params, mcpReq.signal)) as unknown as ModelAnswer
  bridge.ondownloadfile = async ({ contents }, { mcpReq }) =>
    (await calls.saveFiles(contents, mcpReq.signal)) ? {} : { isError: true }
  bridge.onrequestdisplaymode = ({ mode }) => {
    // Not by itself: what somebody is about to type is meant for the page.
    const mayFill = options.isActive() && modesOf(bridge)?.includes('fullscreen') !== false
    if (mode === 'inline' || (mode === 'fullscreen' && mayFill)) fills.value = mode === 'fullscreen'
    return Promise.resolve({ mode: fills.value ? 'fullscreen' : 'inline' })
  }
  bridge.onopenlink = async ({ url }, { mcpReq }) =>
    (await calls.openLink(url, mcpReq.signal)) ? {} : { isError: true }
  bridge.onmessage = ({ content }) => {
    said.value = content.map(readBlock)
    return Promise.resolve({})
  }
  bridge.onupdatemodelcontext = ({ content }) => {
    said.value = (content ?? []).map(readBlock)
    return Promise.resolve({})
  }

  async function close(): Promise<void> {
    if (state.value === 'running') await bridge.teardownResource({}, { timeout: 1_000 }).catch(() => undefined)
    if (state.value !== 'closed') end(null)
  }

  /**
   * Its page is left, which must not wait for it: it gets its second out of sight, in browsers that can move a frame without
   * loading it anew.
   */
  async function leave(): Promise<void> {
    const frame = options.frame.value
    if (state.value !== 'running' || frame === null || !('moveBefore' in document.body)) {
      if (state.value !== 'closed') end(null)
      return
    }
    parting = frame
    frame.hidden = true
    document.body.moveBefore(frame, null)
    calls.leave()
    await close()
    frame.remove()
  }

  watch(options.context, (context) => {
    if (state.value === 'running') bridge.setHostContext({ ...context, toolInfo: { tool: definition(tool) } })
  })
  onScopeDispose(() => void leave())

  return {
    src,
    height,
    canFill,
    state,
    failure,
    messages,
    said,
    calls,
    frameLoaded,
    close,
    start: async () => {
      const transport = createAppTransport({
        frame: () => (parting ?? options.frame.value)?.contentWindow ?? null,
        page: window,
        record: messages.record,
        onExcess: end,
        now: () => performance.now(),
      })
      await bridge.connect(transport)
      within('frame')
      src.value = appFrameUrl(resource.domains.allowed)
    },
  }
}

type ModelAnswer = Awaited<ReturnType<NonNullable<AppBridge['oncreatesamplingmessage']>>>

/** How an app can be shown; undefined when it does not say. */
const modesOf = (bridge: AppBridge): readonly string[] | undefined => bridge.getAppCapabilities()?.availableDisplayModes

/** As the library's types have it. */
const mutable = (domains: AppResource['domains']['allowed']): Record<string, string[]> =>
  Object.fromEntries(Object.entries(domains).map(([kind, list]) => [kind, [...list]]))

/** The tool as its server defines it, as far as the page knows. */
function definition({ name, title, description, inputSchema, outputSchema, annotations }: ToolEntry) {
  return {
    name,
    ...(title !== null && { title }),
    ...(description !== null && { description }),
    inputSchema: { type: 'object' as const, ...(isObject(inputSchema) ? inputSchema : {}) },
    ...(isObject(outputSchema) && { outputSchema }),
    ...(annotations !== null && { annotations }),
  }
}
