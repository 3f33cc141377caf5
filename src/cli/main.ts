/** `postkasse …`: a subcommand a row. */
import { Command, CommanderError } from 'commander';
import { Fault } from '../model/fault.ts';
import * as exitCodes from '../os/exitCodes.ts';
import { StartFailure } from '../os/startFailure.ts';
import { configCommands } from './commands/config.ts';
import { deliverCommand } from './commands/deliver.ts';
import { expireCommand } from './commands/expire.ts';
import { explainCommand } from './commands/explain.ts';
import { mailboxCommands } from './commands/mailbox.ts';
import { passwdCommands } from './commands/passwd.ts';
import { postfixCommands } from './commands/postfix.ts';
import { quotaCommand } from './commands/quota.ts';
import { receiptCommands } from './commands/receipts.ts';
import { serveCommand } from './commands/serve.ts';
import { statusCommand } from './commands/status.ts';
import { traceCommand } from './commands/trace.ts';
import { tryCommand } from './commands/try.ts';
import { ExitWith, terminal } from './terminal.ts';
import { versionText } from './version.ts';

/** A fault in the language of the shell: sysexits. */
const exitStatus: Record<Fault['kind'], number> = {
  syntax: exitCodes.EX_USAGE,
  'wrong-state': exitCodes.EX_UNAVAILABLE,
  'not-found': exitCodes.EX_NOUSER,
  exists: exitCodes.EX_CANTCREAT,
  auth: exitCodes.EX_NOPERM,
  'login-delay': exitCodes.EX_TEMPFAIL,
  'in-use': exitCodes.EX_TEMPFAIL,
  'over-quota': exitCodes.EX_CANTCREAT,
  temporary: exitCodes.EX_TEMPFAIL,
  permanent: exitCodes.EX_UNAVAILABLE,
};

const program = new Command('postkasse')
  .description('Virtual mail domains for Postfix: POP3 server, delivery agent, administration of domains by their owners.')
  .option('-V, --version', 'the version, and what changed last')
  .on('option:version', () => {
    terminal.out(versionText());
    throw new ExitWith(exitCodes.EX_OK);
  })
  .showHelpAfterError('(--help tells more)')
  .exitOverride();

for (const add of [
  serveCommand,
  statusCommand,
  configCommands,
  explainCommand,
  expireCommand,
  mailboxCommands,
  passwdCommands,
  receiptCommands,
  quotaCommand,
  traceCommand,
  postfixCommands,
  tryCommand,
  deliverCommand,
])
  add(program, terminal);

try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = ended(thrown);
}

function ended(thrown: unknown): number {
  if (thrown instanceof ExitWith) return thrown.status;
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.EX_OK : exitCodes.EX_USAGE;
  if (thrown instanceof StartFailure) {
    terminal.error(`postkasse: ${terminal.say(thrown.text, thrown.values)}`);
    return thrown.exitCode;
  }
  const fault = Fault.from(thrown);
  terminal.error(`postkasse: ${terminal.say(fault.text, fault.values)}`);
  if (fault.cause !== undefined) terminal.error(`  ${fault.cause instanceof Error ? fault.cause.message : String(fault.cause)}`);
  return exitStatus[fault.kind];
}
