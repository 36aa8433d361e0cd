import type { Importer, Importers } from './operator';

const refuseLoop: Importer = (node) => node.refuse('loops are not supported');

/** An If whose condition is a constant has been replaced by its branch before importers run. */
const refuseIf: Importer = (node) => node.refuse('its condition is not constant');

/** Control flow. */
export const CONTROL_FLOW: Importers = { Loop: refuseLoop, Scan: refuseLoop, If: refuseIf };
