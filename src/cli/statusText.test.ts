import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frontReport, houseReport } from '../../test/support/houseReport.ts';
import { type HouseReport, noFrontCounts } from '../model/report.ts';
import type { Text, Values } from '../texts/index.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { statusText } from './statusText.ts';

const speaker = createSpeaker();

function said(report: HouseReport, language = 'en'): string {
  const say = (text: Text, values: Values = {}) => speaker.say(text, values, language);
  return `${statusText(report, say).join('\n')}\n`;
}

test('a house with everything', () => {
  assert.equal(
    said(houseReport),
    `Postkasse 1.2.3, process 4711, running for 1 d 2 h

front         process  sessions  connections  memory    lag  running for
0                4712         4            7  61 MiB  12 ms      1 d 2 h
1                4713  does not answer
0 (retiring)     4700         1            1  61 MiB   0 ms      1 d 1 h

owner's worker        process  sessions  requests  deliveries  memory  idle for
kvt_dk (601:100)         4720         2       120           9  48 MiB         -
602:100                  4721         0       120           9  48 MiB      42 s
ada (603:100 system)     4722  does not answer

domain               sessions
example.org                 2
kvt.dk                      2
(users of the host)         1

protocol  state          connections
lmtp      data                     1
pop3      AUTHORIZATION            2
pop3s     TRANSACTION              5

mail on its way in
  messages being received               1
  recipients being delivered to         2
  spooled                        2930 KiB
throttling
  sources held back      2
  accounts under attack  1

sends after fetching (POP before SMTP)  from          last day
abc@kvt.dk                              198.51.100.7  2026-11-28
kvt@kvt.dk                              198.51.100.9  2026-11-27

since the start
  logins                                 90
  failed: wrong name or password          5
  failed: maildrop in use                 4
  failed: too soon after the last         3
  failed: too many tries lately           6
  failed: trouble here                    3
  SMTP logins                            21
  SMTP logins that failed                34
  messages retrieved                     33
  messages deleted                       30
  messages expired                        8
  received over POP3                 20 KiB
  sent over POP3                   4883 KiB
  messages received                      12
  recipients delivered to                14
  recipients to be tried again            8
  recipients failed                       1
  recipients refused                      9
  recipients without room                 4
  questions of Postfix answered         104
  questions of Postfix put off            6
  connections accepted                  121
  connections turned away                 4
  fronts that died                        1
  workers started                         5
  workers that died                       1
  owners refused                          3
`,
  );
});

test('a house where one owner has all mail and nobody is in, in Danish and German', () => {
  const supervisor = {
    ...houseReport.supervisor,
    uptimeS: 59,
    stopping: true,
    counts: { ...houseReport.supervisor.counts, workersStarted: 0, ownersRefused: 0 },
  };
  const idle = { ...frontReport, relays: [], uptimeS: 3_599, rss: 10_239, connections: [], sessions: [], lagMs: 0.6 };
  const deliveries = { receiving: 0, delivering: 0, spooledOctets: 0 };
  const report: HouseReport = {
    ...houseReport,
    supervisor,
    fronts: [{ front: 0, pid: 1, retiring: false, report: { ...idle, deliveries, throttle: { sources: 0, accounts: 0 } } }],
    workers: [],
    counts: { ...houseReport.counts, fronts: noFrontCounts() },
  };
  assert.equal(
    said(report, 'da'),
    `Postkasse 1.2.3, proces 4711, har kørt i 59 s
den er ved at stoppe

frontproces  proces  sessioner  forbindelser  hukommelse  forsinkelse   har kørt i
0                 1          0             0     10239 B         1 ms  59 min 59 s

domæne                 sessioner
(ingen er logget ind)          0

post på vej ind
  beskeder, der modtages          0
  modtagere, der afleveres til    0
  i kø                          0 B
bremsning
  kilder, der holdes tilbage  0
  konti under angreb          0

siden starten
  login                                        0
  mislykket: forkert navn eller adgangskode    0
  mislykket: postkassen er i brug              0
  mislykket: for kort tid efter det sidste     0
  mislykket: for mange forsøg på det sidste    0
  mislykket: problemer her                     0
  SMTP-login                                   0
  SMTP-login, der mislykkedes                  0
  beskeder hentet                              0
  beskeder slettet                             0
  beskeder udløbet                             0
  modtaget over POP3                         0 B
  sendt over POP3                            0 B
  beskeder modtaget                            0
  modtagere afleveret til                      0
  modtagere, der prøves igen                   0
  modtagere, det mislykkedes for               0
  modtagere afvist                             0
  modtagere uden plads                         0
  spørgsmål fra Postfix besvaret               0
  spørgsmål fra Postfix udsat                  0
  forbindelser modtaget                        0
  forbindelser afvist                          0
  frontprocesser, der døde                     1
`,
  );
  assert.equal(
    said(report, 'de').split('\n\n')[1],
    `Frontprozess  Prozess  Sitzungen  Verbindungen  Speicher  Verzug   läuft seit
0                   1          0             0   10239 B    1 ms  59 Min 59 s`,
  );
});

test('twenty domains have a line of their own', () => {
  const sessions = Array.from({ length: 25 }, (_, n) => ({ domain: `d${n + 10}.example`, sessions: 25 - n }));
  const text = said({ ...houseReport, fronts: [{ front: 0, pid: 1, retiring: false, report: { ...frontReport, sessions } }] });
  const lines =
    text
      .split('\n\n')
      .find((section) => section.startsWith('domain'))
      ?.split('\n') ?? [];
  assert.deepEqual(lines, [
    'domain               sessions',
    ...sessions.slice(0, 20).map(({ domain, sessions: open }) => `${domain}${' '.repeat(16)}${String(open).padStart(2)}`),
    '(5 further domains)        15',
  ]);
});

test('sizes and times at their edges', () => {
  const firstRow = (rss: number, uptimeS: number) => {
    const text = said({ ...houseReport, fronts: [{ front: 0, pid: 1, retiring: false, report: { ...frontReport, rss, uptimeS } }] });
    return text.split('\n\n')[1]?.split('\n')[1]?.split(/ {2,}/).slice(4) ?? [];
  };
  const table: [number, number, [string, string]][] = [
    [0, 0, ['0 B', '0 s']],
    [10_240, 60, ['10 KiB', '1 min 0 s']],
    [10 * 1024 ** 2 - 1, 3600, ['10240 KiB', '1 h 0 min']],
    [10 * 1024 ** 2, 86_399, ['10 MiB', '23 h 59 min']],
    [10 * 1024 ** 3, 86_400, ['10 GiB', '1 d 0 h']],
    [500 * 1024 ** 4, 86_400 * 400, ['512000 GiB', '400 d 0 h']],
  ];
  for (const [rss, uptimeS, [memory, time]] of table) {
    const [shown, , running] = firstRow(rss, uptimeS);
    assert.deepEqual([shown, running], [memory, time]);
  }
});
