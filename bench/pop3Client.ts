/** A POP3 client that costs little: it plays a list of commands and looks only at where each reply ends. */
import net from 'node:net';

export interface Step {
  /** Commands with their line ends; empty: wait for the greeting. */
  readonly send: string;
  /** A line, a body that ends in a line with a dot, or so many lines: the replies to pipelined commands. */
  readonly reply: 'line' | 'body' | number;
}

export interface Played {
  /** Octets received. */
  readonly octets: number;
  /** From sending to the end of the reply, one for each step. */
  readonly stepMs: readonly number[];
  readonly socket: net.Socket;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  /** What a proxy sends before the client's octets. */
  readonly preamble?: string;
}

const LF = 0x0a;
const MINUS = 0x2d;
const END = Buffer.from('\r\n.\r\n');
/** All connections read into it: what is in it has been looked at before the next read begins. */
const shared = Buffer.allocUnsafe(262_144);

/** Plays the steps on a new connection. The socket is left open unless the server closes it. @throws at the first -ERR */
export function play(target: Target, steps: Iterable<Step>): Promise<Played> {
  return new Promise((resolve, reject) => {
    const script = steps[Symbol.iterator]();
    const stepMs: number[] = [];
    const tail = Buffer.alloc(END.length);
    let octets = 0;
    let inReply = 0;
    let lines = 0;
    let refusal: string | undefined;
    let sentAt = performance.now();
    let step = script.next();

    const socket = net.connect({ ...target, noDelay: true, onread: { buffer: shared, callback: received } });
    if (target.preamble !== undefined) socket.write(target.preamble, 'latin1');
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the connection')));

    function received(count: number): boolean {
      if (step.done) return true;
      octets += count;
      if (inReply === 0 && shared[0] === MINUS) refusal = '';
      inReply += count;
      if (refusal !== undefined) refusal += shared.toString('latin1', 0, count);
      const want = refusal === undefined ? step.value.reply : 'line';
      if (want === 'body' ? !bodyEnds(count) : !linesEnd(count, want === 'line' ? 1 : want)) return true;
      if (refusal !== undefined) {
        reject(new Error(`${step.value.send.trim().slice(0, 60)}: ${refusal.trim()}`));
        socket.destroy();
        return true;
      }
      stepMs.push(performance.now() - sentAt);
      proceed();
      return true;
    }

    function proceed(): void {
      step = script.next();
      inReply = 0;
      lines = 0;
      sentAt = performance.now();
      if (step.done) resolve({ octets, stepMs, socket });
      else if (step.value.send !== '') socket.write(step.value.send, 'latin1');
    }

    /** One command is under way at a time, so a body is complete when what has come ends in the terminator. */
    function bodyEnds(count: number): boolean {
      if (count >= END.length) shared.copy(tail, 0, count - END.length, count);
      else {
        tail.copyWithin(0, count);
        shared.copy(tail, END.length - count, 0, count);
      }
      return inReply >= END.length && tail.equals(END);
    }

    function linesEnd(count: number, wanted: number): boolean {
      if (wanted === 1) return shared[count - 1] === LF;
      for (let lf = shared.indexOf(LF); lf !== -1 && lf < count; lf = shared.indexOf(LF, lf + 1)) lines++;
      return lines >= wanted;
    }
  });
}

export const greeting: Step = { send: '', reply: 'line' };

export function command(line: string, reply: Step['reply'] = 'line'): Step {
  return { send: `${line}\r\n`, reply };
}
