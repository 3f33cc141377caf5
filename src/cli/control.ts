/** Asks a running Postkasse over its control socket. */
import { connect } from 'node:net';

/** The server looks for no longer than this minus a margin, and answers then, whatever it has. */
const LIMIT_MS = 15_000;
/** A house with 100,000 domains needs a tenth of it. */
const LONGEST_ANSWER = 64 * 1024 * 1024;

/** @throws the system's error (ENOENT, ECONNREFUSED, EACCES …), or one that says why there is no answer */
export function ask(path: string, request: string, limitMs = LIMIT_MS): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const pieces: Buffer[] = [];
    let octets = 0;
    const limit = setTimeout(() => socket.destroy(new Error(`none within ${limitMs / 1000} s`)), limitMs);
    socket.on('connect', () => socket.write(`${request}\n`));
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      octets += piece.length;
      if (octets > LONGEST_ANSWER) socket.destroy(new Error('too long'));
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(limit);
      const answer = Buffer.concat(pieces).toString();
      // Without its line end it isn't whole.
      if (!answer.endsWith('\n')) reject(new Error('the connection was closed'));
      else resolve(parsed(answer));
    });
  });
}

/** `undefined`: no JSON. */
function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    return undefined;
  }
}
