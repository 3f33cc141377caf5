import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import type { Settings } from '../../config/index.ts';
import type { ListedReceipt } from '../../maildrops/receiptDesk.ts';
import type { Account } from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import type { Text } from '../../texts/index.ts';
import { createSpeaker, type Phrasebook } from '../../texts/speaker.ts';
import { accountOf } from '../house.ts';
import { type ConfigOption, speakingSettingsOf, withConfig } from '../settings.ts';
import type { Terminal } from '../terminal.ts';

export function receiptCommands(program: Command, terminal: Terminal): void {
  const receipts = program.command('receipts').description('return receipts that wait for their user to say yes or no');

  withConfig(receipts.command('list'))
    .argument('<address>', 'an address with an account behind it')
    .description('print what waits: its number, since when, who would get it, and about what')
    .action(async (name: string, options: ConfigOption) => {
      const { account, desk, requestOf } = await openDesk(name, options, terminal);
      for (const receipt of await desk.list(account.mailbox)) {
        const since = `${new Date(receipt.sinceMs).toISOString().slice(0, 16)}Z`;
        const request = requestOf(receipt);
        terminal.out([receipt.id, since, ...(request === undefined ? [] : [request.address, request.subject])].join('  ').trimEnd());
        for (const doubt of request?.doubts ?? []) terminal.out(`  ${terminal.say(doubtTexts[doubt])}`);
      }
    });

  withConfig(receipts.command('send'))
    .argument('<address>', 'an address with an account behind it')
    .argument('<number>', 'as `receipts list` prints it')
    .description('send it; with the policy known-senders later ones go to the same address by themselves')
    .action(async (name: string, id: string, options: ConfigOption) => {
      const { account, desk, requestOf, send } = await openDesk(name, options, terminal);
      const receipt = (await desk.list(account.mailbox)).find((listed) => listed.id === id);
      const request = receipt && requestOf(receipt);
      // Taken first: whatever becomes of this process, nobody sends it a second time.
      if (request === undefined || !(await desk.take(account.mailbox, id))) throw noSuchReceipt(id);
      try {
        await send(request);
      } catch (thrown) {
        await desk.putBack(account.mailbox, request.receipt);
        throw thrown;
      }
      await desk.note(account.mailbox, request.address);
      terminal.out(terminal.say('receipt sent to {address}', { address: request.address }));
    });

  withConfig(receipts.command('decline'))
    .argument('<address>', 'an address with an account behind it')
    .argument('<number>', 'as `receipts list` prints it')
    .description('never send it')
    .action(async (name: string, id: string, options: ConfigOption) => {
      const { account, desk } = await openDesk(name, options, terminal);
      if (!(await desk.take(account.mailbox, id))) throw noSuchReceipt(id);
      terminal.out(terminal.say('no receipt will be sent'));
    });
}

const doubtTexts = {
  'other-sender': 'it would go to another address than the one the message came from',
  'no-return-path': 'nobody knows which address the message came from',
  'not-addressed': 'neither To nor Cc names this user',
} as const satisfies Record<string, Text>;

function noSuchReceipt(id: string): Fault {
  return new Fault('not-found', 'no such receipt: {id}', { values: { id } });
}

async function openDesk(name: string, options: ConfigOption, terminal: Terminal) {
  const { settings, phrasebook } = speakingSettingsOf(options, terminal);
  // Loaded first: afterwards the program's own folder can be closed to us.
  const [{ compose }, { readRequest }, { formatMailAddress }] = await Promise.all([
    import('../../mdn/compose.ts'),
    import('../../mdn/request.ts'),
    import('../../mdn/mailAddress.ts'),
  ]);
  const { account, desk: openDesk, submission: openSubmission } = await accountOf(settings, name, terminal, true);
  const desk = openDesk();

  function requestOf(receipt: ListedReceipt) {
    const finding = readRequest(receipt.header, { mailbox: account.mailbox, hostDomain: hostDomainOf(settings) });
    if (finding.kind !== 'request') return undefined;
    const { request } = finding;
    return { receipt, request, address: formatMailAddress(request.to), subject: request.subject, doubts: request.doubts };
  }

  async function send({ receipt, request, address }: NonNullable<ReturnType<typeof requestOf>>): Promise<void> {
    const { speaker, language } = languageOf(account, settings, phrasebook);
    const means = { speaker, hostname: settings.hostname, random: randomBytes };
    const octets = await compose({ request, header: receipt.header, consent: 'particular', language, nowMs: Date.now() }, means);
    await openSubmission().submit([octets], { sender: '', recipients: [address] });
  }

  return { account, desk, requestOf, send };
}

function hostDomainOf({ directory, hostname }: Settings): string {
  return directory.defaultDomain ?? hostname;
}

function languageOf(account: Account, settings: Settings, phrasebook: Phrasebook) {
  const speaker = createSpeaker(phrasebook);
  return { speaker, language: speaker.match(account.language ?? settings.language) ?? speaker.match(settings.language) ?? 'en' };
}
