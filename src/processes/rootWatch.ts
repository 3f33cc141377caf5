/** What only root can look at, and so the supervisor does: keys of certificates, and whose the domains are. */
import type { Settings } from '../config/index.ts';
import type { Identity } from '../os/becomeUser.ts';
import { stampOf, watchFiles, watchFolder } from './fileWatch.ts';
import { type Mode, modeOf } from './ownership.ts';

export interface RootWatchOptions {
  readonly settings: Settings;
  /** `undefined`: we are not root, and the fronts look themselves. */
  readonly mailOwner: Identity | undefined;
  /** What is in force. */
  mode(): Mode;
  /** Resolves when it is done. @param isNeeded asked when its turn has come */
  reload(cause: 'certificates' | 'owners', isNeeded?: () => boolean): Promise<void>;
}

/** The files as they are at this call are what the next fronts will have read. @returns what begins to look, and returns what ends it */
export function prepareRootWatch(options: RootWatchOptions): () => () => void {
  const { settings, mailOwner } = options;
  const watches = mailOwner === undefined ? [] : [certificateWatch(settings, options), domainsWatch(settings, mailOwner, options)];
  return () => {
    const ends = watches.map((begin) => begin());
    return () => {
      for (const end of ends) end();
    };
  };
}

/** A front looks for changed certificates itself, unless it was root when it read them: then the keys may be closed to it by now. */
function certificateWatch({ tls }: Settings, { reload }: RootWatchOptions): () => () => void {
  const pairs = [tls, ...tls.names.values()];
  const files = pairs.flatMap(({ certificate, key }) => [certificate ?? [], key ?? []].flat());
  const stamp = stampOf(files);
  return () => (files.length === 0 ? () => {} : watchFiles(files, stamp, () => void reload('certificates')));
}

/** A domain that is added may be the first of another owner, or one that is removed the last. */
function domainsWatch(settings: Settings, mailOwner: Identity, { mode, reload }: RootWatchOptions): () => () => void {
  const isAnother = () => modeOf(settings, mailOwner) !== mode();
  let isAsked = false;
  const looked = () => {
    if (isAsked || !isAnother()) return;
    isAsked = true;
    void reload('owners', isAnother).then(() => {
      isAsked = false;
    });
  };
  return () => (settings.owners.mode === 'auto' ? watchFolder(settings.directory.root, looked) : () => {});
}
