/** libpam's side of one password check: pam_start, pam_authenticate, pam_acct_mgmt, pam_end. Blocks for as long as the modules do. */
import { libc, loadLibrary, native } from './native.ts';

/** security/_pam_types.h of Linux-PAM. */
const PAM_SUCCESS = 0;
const PAM_CONV_ERR = 19;
/** Flags: no account without a password is let in, and modules write nothing to the terminal. */
const PAM_DISALLOW_NULL_AUTHTOK = 0x1;
const PAM_SILENT = 0x8000;
const PAM_PROMPT_ECHO_OFF = 1;
const PAM_PROMPT_ECHO_ON = 2;

/**
 * Answers that mean this user may not come in with this password: PAM_PERM_DENIED, PAM_AUTH_ERR, PAM_CRED_INSUFFICIENT, PAM_USER_UNKNOWN,
 * PAM_MAXTRIES, PAM_NEW_AUTHTOK_REQD, PAM_ACCT_EXPIRED. Any other is trouble with PAM itself.
 */
const refusals: ReadonlySet<number> = new Set([6, 7, 8, 10, 11, 12, 13]);

export interface Question {
  readonly service: string;
  readonly user: string;
  readonly password: Buffer;
  /** Where the service's file is looked for instead of /etc/pam.d; empty: there. */
  readonly configDir: string;
}

/** @throws Error when PAM could not tell, Fault temporary where libpam is missing */
export function pamAllows(question: Question): boolean {
  const { service, user, password, configDir } = question;
  const koffi = native();
  const library = loadLibrary(['libpam.so.0']);
  const conversation = koffi.struct({ conv: 'void *', appdata_ptr: 'void *' });
  const handleOut = koffi.out(koffi.pointer('void *'));
  const start = library.func('pam_start_confdir', 'int', [
    'const char *',
    'const char *',
    koffi.pointer(conversation),
    'const char *',
    handleOut,
  ]);
  const authenticate = library.func('int pam_authenticate(void *handle, int flags)');
  const checkAccount = library.func('int pam_acct_mgmt(void *handle, int flags)');
  const end = library.func('int pam_end(void *handle, int status)');
  const describe = library.func('const char *pam_strerror(void *handle, int status)');

  const converse = koffi.proto('int converse(int count, void *messages, void *responses, void *appdata)');
  const callback = koffi.register(
    (count: number, messages: unknown, responses: unknown) => answer(count, messages, responses, user, password),
    koffi.pointer(converse),
  );
  const handle: unknown[] = [null];
  let status: number = start(service, user, { conv: callback, appdata_ptr: null }, configDir === '' ? null : configDir, handle);
  if (status !== PAM_SUCCESS) throw new Error(`pam_start: no service ${service}? (status ${status})`);
  try {
    const flags = PAM_DISALLOW_NULL_AUTHTOK | PAM_SILENT;
    status = authenticate(handle[0], flags);
    if (status === PAM_SUCCESS) status = checkAccount(handle[0], flags);
    if (status !== PAM_SUCCESS && !refusals.has(status)) throw new Error(`${describe(handle[0], status)} (${status})`);
    return status === PAM_SUCCESS;
  } finally {
    end(handle[0], status);
    koffi.unregister(callback);
  }
}

/**
 * The conversation function, pam_conv(3): a prompt with the echo off is for the password, one with it on for the name.
 * libpam frees the array of `struct pam_response { char *resp; int resp_retcode; }` and each answer in it, so malloc makes them.
 */
function answer(count: number, messages: unknown, responses: unknown, user: string, password: Buffer): number {
  const koffi = native();
  const calloc = libc().func('void *calloc(size_t count, size_t octets)');
  const replies = calloc(count, 16);
  if (replies === null) return PAM_CONV_ERR;
  for (let index = 0; index < count; index += 1) {
    const message = koffi.decode(messages, index * 8, 'void *');
    const style = koffi.decode(message, 'int');
    if (style !== PAM_PROMPT_ECHO_OFF && style !== PAM_PROMPT_ECHO_ON) continue;
    const text = style === PAM_PROMPT_ECHO_OFF ? password : Buffer.from(user);
    const copy = calloc(text.length + 1, 1);
    if (copy === null) return PAM_CONV_ERR;
    new Uint8Array(koffi.view(copy, text.length + 1)).set(text);
    koffi.encode(replies, index * 16, 'void *', copy);
  }
  koffi.encode(responses, 'void *', replies);
  return PAM_SUCCESS;
}
