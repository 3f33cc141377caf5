"""Every call of Python's poplib in one session, and what each gave, as JSON on standard output.

Arguments: way (plain, STLS or POP3S), port, file with the server's certificate, login, password, and how to log in (user or apop).
"""
import json
import poplib
import ssl
import sys

way, port, certificate, login, password, method = sys.argv[1:]
# The module's own limit on line lengths, which it invites its users to raise: a line of mail may be longer than 2048 octets.
poplib._MAXLINE = 1 << 20
trust = ssl.create_default_context(cafile=certificate)
given = {}


def text(answer):
    if isinstance(answer, bytes):
        return answer.decode('latin1')
    if isinstance(answer, (list, tuple)):
        return [text(part) for part in answer]
    if isinstance(answer, dict):
        return {text(name): text(value) for name, value in answer.items()}
    return answer


def note(call, answer):
    given[call] = text(answer)


def refused(call, function, *arguments):
    try:
        function(*arguments)
    except poplib.error_proto as error:
        note(call, error.args[0])


if way == 'POP3S':
    pop = poplib.POP3_SSL('localhost', int(port), context=trust, timeout=60)
else:
    pop = poplib.POP3('localhost', int(port), timeout=60)
note('getwelcome', pop.getwelcome())
if way == 'STLS':
    note('stls', pop.stls(context=trust))
note('capa before login', pop.capa())
note('utf8', pop.utf8())
refused('rpop', pop.rpop, login)
if method == 'apop':
    note('apop', pop.apop(login, password))
else:
    note('user', pop.user(login))
    note('pass_', pop.pass_(password))
note('capa', pop.capa())
note('stat', pop.stat())
note('list', pop.list())
note('list 2', pop.list(2))
note('uidl', pop.uidl())
note('uidl 2', pop.uidl(2))
count = pop.stat()[0]
given['retr'] = [text(b''.join(line + b'\r\n' for line in pop.retr(which)[1])) for which in range(1, count + 1)]
note('top 1 2', b''.join(line + b'\r\n' for line in pop.top(1, 2)[1]))
refused('retr 99', pop.retr, 99)
note('noop', pop.noop())
note('dele 1', pop.dele(1))
refused('dele 1 again', pop.dele, 1)
note('rset', pop.rset())
note('stat after rset', pop.stat())
note('dele 2', pop.dele(2))
note('stat after dele', pop.stat())
note('quit', pop.quit())
json.dump(given, sys.stdout)
