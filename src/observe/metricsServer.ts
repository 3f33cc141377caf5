/** Serves the metrics over HTTP: GET and HEAD of /metrics, and nothing else. Whoever can connect may read them; nobody can change anything. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ListenOptions } from 'node:net';
import type { Log } from '../model/log.ts';
import type { HouseReport } from '../model/report.ts';
import { metricsContentType, metricsText } from './metricsText.ts';
import type { MetricRules } from './metricTable.ts';

export interface MetricsOptions {
  /** A descriptor that listens already, or where to listen. */
  readonly listen: ListenOptions | { readonly fd: number };
  readonly rules: MetricRules;
  /** Everybody's figures. */
  report(): Promise<HouseReport>;
  readonly log: Log;
  /** For a request to be whole, and for an answer to be taken. */
  readonly limitMs?: number;
}

export interface MetricsServer {
  /** 0 for a Unix socket. */
  readonly port: number;
  /** No more requests; those under way are answered. Resolves when all connections are closed. */
  close(): Promise<void>;
}

const LIMIT_MS = 10_000;
const MOST_CONNECTIONS = 16;
/** Of request line and headers. */
const MOST_HEADER_OCTETS = 8192;

/** Resolves when it listens. @throws the system's error */
export async function serveMetrics({ listen, rules, report, log, limitMs = LIMIT_MS }: MetricsOptions): Promise<MetricsServer> {
  const server = createServer(
    {
      maxHeaderSize: MOST_HEADER_OCTETS,
      headersTimeout: limitMs,
      requestTimeout: limitMs,
      connectionsCheckingInterval: Math.min(1000, limitMs),
      keepAliveTimeout: 2 * limitMs,
      requireHostHeader: false,
    },
    (request, response) => {
      answer(request, response).catch((cause: unknown) => {
        log.error('metrics.trouble', { cause });
        response.destroy();
      });
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  // A client that doesn't read, too, is waited for no longer.
  server.setTimeout(2 * limitMs, (socket) => socket.destroy());
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });

  async function answer({ method = '', url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path] = url.split('?', 1);
    if (path !== '/metrics') return say(response, 404, 'Here is only /metrics.\n');
    if (method !== 'GET' && method !== 'HEAD') return say(response.setHeader('Allow', 'GET, HEAD'), 405, 'Only GET and HEAD.\n');
    const text = await report().then(
      (figures) => metricsText(figures, rules),
      (cause: unknown) => {
        log.warn('metrics.unanswered', { cause });
        return undefined;
      },
    );
    if (text === undefined) return say(response, 503, 'The supervisor does not answer.\n');
    say(response, 200, text, metricsContentType);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => log.error('metrics.trouble', { cause: error }));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  log.info('net.listening', {
    protocol: 'metrics',
    ...(typeof bound === 'object' ? { address: bound?.address, port } : { address: bound }),
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

function say(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  const octets = Buffer.from(text);
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': octets.length, 'X-Content-Type-Options': 'nosniff' });
  // To HEAD, Node sends the header alone.
  response.end(octets);
}
