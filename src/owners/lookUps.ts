/** Questions that take no proof: who exists, what a domain does, where mail rests, and what was done for it. */
import { passwordOnly } from '../directory/schemes/scheme.ts';
import type { Usage } from '../model/maildrop.ts';
import { readAddress, readDomain, readWanted, type Wanted } from './accounts.ts';
import type { Payload } from './codec.ts';
import { ask } from './frames.ts';
import {
  writeAccountReply,
  writeAliasReply,
  writeDomainReply,
  writeExplained,
  writeFirstReply,
  writeLocated,
  writeReceiptReply,
  writeScramReply,
  writeUsage,
} from './replies.ts';
import { readClaim, readFirst, readReceipt, readScramParameters, readUsageRequest } from './requests.ts';
import { accountOf, mailboxOf, type Service } from './service.ts';

/** The work of answering with one frame; `undefined`: no such question. @throws Malformed */
export function lookUp(service: Service, type: number, from: Payload): (() => Promise<Buffer>) | undefined {
  const { desk, directory, domains, once, store } = service;
  const usageOf = async (wanted: Wanted): Promise<Usage> => store.usage(await mailboxOf(service, wanted));
  switch (type) {
    case ask.account: {
      const wanted = readWanted(from);
      from.end();
      return async () => writeAccountReply(await accountOf(service, wanted));
    }
    case ask.domain: {
      const name = readDomain(from);
      from.end();
      return async () => {
        const domain = await directory.domain(name);
        const kinds = domain === undefined ? passwordOnly : directory.proofKinds({ localAddress: undefined, serverName: name });
        return writeDomainReply({ domain, kinds });
      };
    }
    case ask.scramParameters: {
      const { claim, hash } = readScramParameters(from);
      return async () => writeScramReply(await directory.scramParameters(claim, hash));
    }
    case ask.explain: {
      const claim = readClaim(from);
      from.end();
      return async () => writeExplained(await directory.explain(claim));
    }
    case ask.locate: {
      const wanted = readWanted(from);
      from.end();
      return async () => writeLocated(await store.locate(await mailboxOf(service, wanted)));
    }
    case ask.first: {
      const { of, topic, key, lastsS } = readFirst(from);
      return async () => writeFirstReply(await once.first(await mailboxOf(service, of), topic, key, lastsS));
    }
    case ask.alias: {
      const address = readAddress(from);
      from.end();
      return async () => writeAliasReply(await directory.alias(address));
    }
    case ask.pattern: {
      const address = readAddress(from);
      from.end();
      return async () => writeAliasReply(await directory.pattern(address));
    }
    case ask.receipt: {
      const { of, receipt, unlessKnown } = readReceipt(from);
      return async () => writeReceiptReply(await desk.ask(await mailboxOf(service, of), receipt, unlessKnown));
    }
    case ask.usage: {
      const request = readUsageRequest(from);
      return async () => writeUsage(await ('domain' in request ? domains.of(request.domain, request.anew) : usageOf(request)));
    }
    default:
      return undefined;
  }
}
