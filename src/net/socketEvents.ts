/** Handlers that all sockets share: a closure for each event of each connection would cost more memory than the rest of it. */
import type { Socket } from 'node:net';

/** What happens on a socket, told to whoever is bound to it. */
export interface SocketEvents {
  received(chunk: Buffer): void;
  ended(): void;
  failed(error: Error): void;
  closed(): void;
  /** One of the above threw what nobody foresaw. */
  trouble(thrown: unknown): void;
}

const bound: unique symbol = Symbol('bound');
type BoundSocket = Socket & { [bound]?: SocketEvents | undefined };

export function bind(socket: Socket, events: SocketEvents): void {
  (socket as BoundSocket)[bound] = events;
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClose);
}

/** Another socket takes over (TLS). An error of this one still ends nobody else's session. */
export function unbind(socket: Socket): void {
  (socket as BoundSocket)[bound] = undefined;
  socket.off('data', onData);
  socket.off('end', onEnd);
  socket.off('close', onClose);
}

function onData(this: BoundSocket, chunk: Buffer): void {
  const events = this[bound];
  try {
    events?.received(chunk);
  } catch (thrown) {
    events?.trouble(thrown);
  }
}

function onEnd(this: BoundSocket): void {
  const events = this[bound];
  try {
    events?.ended();
  } catch (thrown) {
    events?.trouble(thrown);
  }
}

function onError(this: BoundSocket, error: Error): void {
  this[bound]?.failed(error);
}

function onClose(this: BoundSocket): void {
  this[bound]?.closed();
}
