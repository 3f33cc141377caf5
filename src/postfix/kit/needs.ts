/** What the styles ask of a Postfix, before anybody looks what of it is there already. */
import type { Text, Values } from '../../texts/index.ts';
import type { KitOwner } from './domains.ts';

/** A sentence for the administrator. */
export interface Said {
  readonly text: Text;
  readonly values: Values;
}

/** A file in the kit's own folder. */
export interface MapNeed {
  readonly name: string;
  /** Type of look-up table. */
  readonly type: string;
  readonly text: string;
}

/** A `.forward` file of an owner's. */
export interface ForwardNeed {
  readonly owner: KitOwner;
  readonly path: string;
  readonly text: string;
}

export interface Needs {
  /** Words that a list has to have. */
  readonly lists: readonly { readonly name: string; readonly word: string }[];
  /** As `lists`, for smtpd_*_restrictions, where order counts: in front of the first of the named words, else at the end. */
  readonly restrictions: readonly { readonly name: string; readonly words: string; readonly before: readonly string[] }[];
  /** `unset`: only where main.cf doesn't say; what an administrator has set stands. */
  readonly values: readonly { readonly name: string; readonly value: string; readonly when: 'always' | 'unset' }[];
  /** Lines of master.cf. */
  readonly services: readonly string[];
  /** Options of services that are there, `submission/inet`: what main.cf says doesn't hold for these. */
  readonly options: readonly { readonly service: string; readonly name: string; readonly value: string }[];
  readonly maps: readonly MapNeed[];
  readonly forwards: readonly ForwardNeed[];
  /** Why nothing can be done before a person decides. */
  readonly conflicts: readonly Said[];
}

export const noNeeds: Needs = { lists: [], restrictions: [], values: [], services: [], options: [], maps: [], forwards: [], conflicts: [] };

export function together(parts: readonly Needs[]): Needs {
  return {
    lists: parts.flatMap(({ lists }) => lists),
    restrictions: parts.flatMap(({ restrictions }) => restrictions),
    values: parts.flatMap(({ values }) => values),
    services: parts.flatMap(({ services }) => services),
    options: parts.flatMap(({ options }) => options),
    maps: parts.flatMap(({ maps }) => maps),
    forwards: parts.flatMap(({ forwards }) => forwards),
    conflicts: parts.flatMap(({ conflicts }) => conflicts),
  };
}

export function conflict(text: Text, values: Values = {}): Needs {
  return { ...noNeeds, conflicts: [{ text, values }] };
}

/** Below the folder of main.cf. */
export const ownFolder = 'postkasse';

export function ownPath(configDir: string, name: string): string {
  return `${configDir}/${ownFolder}/${name}`;
}

/** A map of ours as Postfix names it. */
export function ownMap(configDir: string, { type, name }: Pick<MapNeed, 'type' | 'name'>): string {
  return `${type}:${ownPath(configDir, name)}`;
}
