"""Appends COUNT messages to an mbox as other programs do: HOW is 'both' (lock file, fcntl, link count, as Postfix) or 'fcntl' (that alone)."""
import fcntl
import os
import sys
import time

path, how, count, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]


def lock_file():
    while True:
        try:
            os.close(os.open(path + '.lock', os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return
        except FileExistsError:
            time.sleep(0.002)


def append(message):
    if how == 'both':
        lock_file()
    try:
        mailbox = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(mailbox, fcntl.LOCK_EX)
            if how == 'both' and os.fstat(mailbox).st_nlink != 1:
                return False
            os.write(mailbox, message)
            os.fsync(mailbox)
            return True
        finally:
            os.close(mailbox)
    finally:
        if how == 'both':
            os.unlink(path + '.lock')


for n in range(count):
    while not append(f'From a@b Thu Nov 24 18:22:48 1986\nSubject: {name} {n}\n\nbody\n\n'.encode()):
        pass
    time.sleep(0.001)
