/** What kept the program from starting, put so that the host can do something about it. */
import { Fault } from '../model/fault.ts';
import { EX_OSERR, EX_SOFTWARE, EX_UNAVAILABLE } from '../os/exitCodes.ts';
import { StartFailure } from '../os/startFailure.ts';

export function explained(thrown: unknown): StartFailure {
  if (thrown instanceof StartFailure) return thrown;
  const cause = thrown instanceof Fault && thrown.cause instanceof Error ? thrown.cause : thrown;
  const detail = cause instanceof Error ? cause.message : String(cause);
  const exitCode = thrown instanceof Fault ? EX_UNAVAILABLE : cause instanceof Error && 'code' in cause ? EX_OSERR : EX_SOFTWARE;
  return new StartFailure('{detail}', { detail }, exitCode);
}
