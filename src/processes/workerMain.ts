/** The program of an owner's worker: as little as can be loaded. */
import { runWorker } from './worker.ts';

runWorker();
