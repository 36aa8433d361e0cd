import { ACTIVATIONS } from './activations';
import { AXES } from './axes';
import { CONSTANTS } from './constants';
import { LEGACY } from './legacy';
import { NORMALIZATION } from './normalization';
import type { Importers } from './operator';
import { SLICING } from './slicing';

/** Operators whose form changed between the opsets; all others are imported as they are. */
export const IMPORTERS: ReadonlyMap<string, Importers[string]> = new Map(
  [CONSTANTS, AXES, SLICING, ACTIVATIONS, NORMALIZATION, LEGACY].flatMap((family) => Object.entries(family)),
);
