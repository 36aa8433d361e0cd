import type { Models } from './models';
import type { Section } from './record';

/** What a section may use. */
export interface Context {
  readonly quick: boolean;
  readonly models: Models;
  /** Says on stderr what is being measured now. */
  step(text: string): void;
}

/** One process of a section; sections that need several (pinned and not, other tiers) have several. */
export interface SectionRun {
  /** Bind the whole process, ours and the rivals' threads, to one core. */
  readonly pinned: boolean;
  readonly env?: Readonly<Record<string, string>>;
  run(context: Context): Promise<Section[]>;
}

export interface SectionSpec {
  readonly name: string;
  readonly about: string;
  /** Only runs when it is named: it needs what most machines lack, or takes long. */
  readonly onDemand?: boolean;
  readonly runs: readonly SectionRun[];
}
