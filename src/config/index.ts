/** The settings table: name, type, unit, default, help. */
export { formatListenAddress } from './check.ts';
export { loadPhrasebook, type Phrasebooks } from './phrasebook.ts';
export { type ConfigProblem, formatProblem, type Said } from './problem.ts';
export {
  type ListenAddress,
  type ListenSettings,
  type Loaded,
  type LoadOptions,
  loadSettings,
  type Protocol,
  parseSettings,
  type Settings,
} from './settings.ts';
export { describeTable, showSettings } from './show.ts';
