import { ACTIVATIONS } from './activations';
import { AXES } from './axes';
import { CONSTANTS } from './constants';
import { CONTROL_FLOW } from './control-flow';
import { LEGACY } from './legacy';
import { NORMALIZATION } from './normalization';
import type { Importers } from './operator';
import { SLICING } from './slicing';

/** Operators whose form changed between the opsets, or that are refused; all others are imported as they are. */
export const IMPORTERS: ReadonlyMap<string, Importers[string]> = new Map(
  [CONSTANTS, AXES, SLICING, ACTIVATIONS, NORMALIZATION, LEGACY, CONTROL_FLOW].flatMap((family) => Object.entries(family)),
);
