export { type AdmissionControl, type AdmissionOptions, createAdmission } from './admission.ts';
export { type Clock, systemClock } from './clock.ts';
export { type Keeping, type KeepingOptions, keepAdmission } from './keeping.ts';
export { createLoginNotes } from './loginNotes.ts';
