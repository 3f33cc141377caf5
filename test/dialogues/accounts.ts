/** Who lives in the houses that dialogues are played in. */
import type { MemoryAccount } from '../../src/directory/memory/index.ts';
import { parseDomainName, parseUserName } from '../../src/model/address.ts';

/** By the name of their mailbox, which is also what they log in with. */
export const accounts: ReadonlyMap<string, MemoryAccount> = new Map(
  [
    account('ada@example.org', 'lovelace'),
    account('bea@example.org', 'two  words '),
    account('jörg@example.org', 'Straße', 'de'),
    account('mrose', 'tanstaaf'), // RFC 1939 section 7
    account('tim', 'tanstaaftanstaaf'), // RFC 2195 section 2
    account('test', 'test'), // RFC 5034 section 6
  ].map((one) => [one.mailbox.name, one]),
);

function account(name: string, password: string, language?: string): MemoryAccount {
  const [local = '', of] = name.split('@');
  const user = parseUserName(local);
  if (user === undefined) throw new Error(`no user name: ${local}`);
  const domain = of === undefined ? undefined : parseDomainName(of);
  const mailbox = { name, user, domain, home: undefined, owner: undefined };
  return language === undefined ? { mailbox, password } : { mailbox, password, language };
}
