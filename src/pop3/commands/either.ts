/** Commands before and after login. */
import { Fault } from '../../model/fault.ts';
import { languageRange, optional } from '../args.ts';
import { command } from '../command.ts';
import { andThen, ok, say } from '../replies.ts';
import { update } from '../update.ts';

/** LANG [range]: lists the languages, or chooses one; `*` is the account's, or else the host's. RFC 6856 section 3. */
const LANG = command({
  name: 'LANG',
  states: ['AUTHORIZATION', 'TRANSACTION'],
  args: [optional(languageRange)],
  capability: 'LANG',
  handle(session, range) {
    const { speaker, language } = session.host;
    if (range === undefined) {
      return ok(say(session, 'languages follow'), { rows: speaker.languages.map(({ tag, name }) => `${tag} ${name}`) });
    }
    const own = session.state === 'TRANSACTION' ? session.account.language : undefined;
    const tag = range === '*' ? ((own && speaker.match(own)) ?? language) : speaker.match(range);
    if (tag === undefined) throw new Fault('not-found', 'that language is not spoken here');
    session.language = tag;
    return ok(`${tag} ${say(session, 'language changed')}`);
  },
});

/** QUIT: after login, the UPDATE state. RFC 1939 sections 4 and 6. */
const QUIT = command({
  name: 'QUIT',
  states: ['AUTHORIZATION', 'TRANSACTION'],
  handle: (session) => (session.state === 'TRANSACTION' ? update(session) : andThen(ok(say(session, 'goodbye')), 'close')),
});

export const either = [LANG, QUIT];
