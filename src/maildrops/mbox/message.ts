import type { MaildropMessage } from '../../model/maildrop.ts';
import { READ, type Rows } from './rows.ts';

/** A row with the face of a message. */
export class MboxMessage implements MaildropMessage {
  readonly rows: Rows;
  readonly row: number;
  #uniqueId: string | undefined;

  constructor(rows: Rows, row: number) {
    this.rows = rows;
    this.row = row;
  }

  get uniqueId(): string {
    this.#uniqueId ??= this.rows.uniqueId(this.row);
    return this.#uniqueId;
  }
  get octets(): number {
    return this.rows.octets(this.row);
  }
  get receivedAtMs(): number {
    return this.rows.receivedAtMs(this.row);
  }
  get wasRead(): boolean {
    return this.rows.has(this.row, READ);
  }
}
