import { Option } from 'commander';

/** Protocols whose dialogues can be printed. */
export function traceOption(): Option {
  return new Option('--trace <protocol...>', 'print dialogues to standard error, secrets masked')
    .choices(['pop3', 'sasl'])
    .default([], 'none');
}
