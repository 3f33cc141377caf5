/** What all styles and options ask together. */
import { type Extra, extraNeeds } from './extras.ts';
import { jthNeeds } from './jthStyle.ts';
import { lmtpNeeds } from './lmtpStyle.ts';
import { mailboxBase, mailboxDomainNeeds } from './mailboxDomains.ts';
import { conflict, type Needs, together } from './needs.ts';
import type { Question } from './question.ts';
import { virtualNeeds } from './virtualStyle.ts';

export function needsOf(question: Question, wanted: readonly Extra[]): Needs {
  return together([
    domainConflicts(question),
    mailboxDomainNeeds(question, mailboxBase(question) ?? '/'),
    lmtpNeeds(question),
    virtualNeeds(question),
    jthNeeds(question),
    extraNeeds(question, wanted),
  ]);
}

/** A domain can be of one class only: postfix ADDRESS_CLASS_README. */
function domainConflicts({ domains, existing }: Question): Needs {
  return together(
    domains.flatMap(({ name, style }) => {
      const found: Needs[] = [];
      const isAlias = style.startsWith('jth');
      if (existing.destinations.has(name))
        found.push(conflict('{domain} stands in mydestination, too: take it out there', { domain: name }));
      if (existing.relayDomains.has(name))
        found.push(conflict('{domain} stands in relay_domains, too: take it out there', { domain: name }));
      if (isAlias && existing.mailboxDomains.has(name))
        found.push(
          conflict('{domain} stands in virtual_mailbox_domains, and style {style} needs it out of there', { domain: name, style }),
        );
      if (!isAlias && existing.aliasDomains.has(name))
        found.push(conflict('{domain} is a virtual alias domain, and style {style} needs it not to be one', { domain: name, style }));
      return found;
    }),
  );
}
