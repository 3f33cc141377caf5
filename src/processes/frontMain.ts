/** The program of a front process: as little as can be loaded. */
import { runFront } from './front.ts';

runFront();
