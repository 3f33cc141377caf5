/** A server behind a load balancer, so that a test can come from any address. */
import { appendFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import type { Client } from '../../support/socketDialogue.ts';
import { clientOf, endedAfter } from './processes.ts';
import { type Server, type ServerOptions, serve, writeSettings } from './server.ts';

/** POP3 only; each connection begins with a PROXY header. */
export async function servingProxied(t: TestContext, options: Omit<ServerOptions, 'protocols'>): Promise<Server> {
  const { settingsFile, ports } = await writeSettings({ ...options, protocols: ['pop3'] });
  // The listener's is the last table of the file.
  appendFileSync(settingsFile, 'proxy_protocol_from = ["127.0.0.1/32"]\n');
  return endedAfter(t, await serve(settingsFile, ports, options));
}

/** Greeted already. */
export async function connectFrom(t: TestContext, server: Server, address: string): Promise<Client> {
  const client = clientOf(t, { port: server.ports.pop3 });
  const [family, destination] = address.includes(':') ? ['TCP6', '2001:db8:ffff::110'] : ['TCP4', '192.0.2.110'];
  client.write(`PROXY ${family} ${address} ${destination} 40000 110\r\n`);
  const greeting = await client.line();
  if (!greeting?.startsWith('+OK')) throw new Error(`greeting: ${greeting}`);
  return client;
}

/** With room for any name: a command line has but 255 octets. @returns the reply */
export async function authPlain(client: Client, login: string, password: string): Promise<string | undefined> {
  client.write(`AUTH PLAIN\r\n${Buffer.from(`\0${login}\0${password}`).toString('base64')}\r\n`);
  const challenge = await client.line();
  return challenge === '+ ' ? client.line() : challenge;
}
