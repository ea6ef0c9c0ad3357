import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { Exchange } from '../gateway/exchange.ts'
import type { Traces } from '../gateway/trace-context.ts'

/**
 * Spans over OTLP, for each request that goes to a server. Where to, how often and under what name is said by the standard
 * `OTEL_…` variables, which the SDK reads. This module is loaded only where they are set.
 */
export function createTraces(options: { version: string; serviceName: string }): Traces {
  const provider = new BasicTracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({ 'service.name': options.serviceName, 'service.version': options.version }),
    ),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  })
  const tracer = provider.getTracer('mcp-hub', options.version)
  const spans = new WeakMap<Exchange, Span>()

  return {
    begin: (exchange, parent) => {
      const context =
        parent === null
          ? ROOT_CONTEXT
          : trace.setSpanContext(ROOT_CONTEXT, {
              traceId: parent.traceId,
              spanId: parent.spanId,
              traceFlags: parent.flags & 1,
              isRemote: true,
            })
      const span = tracer.startSpan(
        exchange.name === null || exchange.method === 'resources/read'
          ? exchange.method
          : `${exchange.method} ${exchange.name}`,
        { kind: SpanKind.SERVER, startTime: exchange.at, attributes: attributesOf(exchange) },
        context,
      )
      spans.set(exchange, span)
      const { traceId, spanId, traceFlags } = span.spanContext()
      exchange.traceId = traceId
      return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
    },
    end: (exchange) => {
      const span = spans.get(exchange)
      if (span === undefined) return
      span.setAttributes({ 'mcp_hub.outcome': exchange.outcome, 'mcp_hub.response.size': exchange.bytesOut })
      if (exchange.errorCode !== null) span.setAttribute('rpc.response.status_code', String(exchange.errorCode))
      if (exchange.outcome !== 'ok' && exchange.outcome !== 'cancelled') {
        span.setAttribute('error.type', exchange.outcome)
        // Messages may quote what was asked; they stay in the history.
        span.setStatus({ code: SpanStatusCode.ERROR })
      }
      span.end(exchange.at + exchange.durationMs)
    },
    dispose: () => provider.shutdown(),
  }
}

/** Names as OpenTelemetry's conventions for MCP have them. */
function attributesOf(exchange: Exchange): Record<string, string | number> {
  return {
    'mcp.method.name': exchange.method,
    'mcp_hub.server': exchange.server ?? '',
    'mcp_hub.endpoint': exchange.endpoint,
    ...(exchange.method === 'tools/call' && exchange.name !== null ? { 'gen_ai.tool.name': exchange.name } : {}),
    ...(exchange.method === 'prompts/get' && exchange.name !== null ? { 'gen_ai.prompt.name': exchange.name } : {}),
    ...(exchange.method === 'resources/read' && exchange.name !== null ? { 'mcp.resource.uri': exchange.name } : {}),
    ...(exchange.client === null ? {} : { 'mcp_hub.client': exchange.client }),
  }
}
