export { type CompileOptions, compile } from './compile';
export { type ExplainReport, explainer, formatReport, type PassReport } from './explain';
export { importModel, OPSETS, UnsupportedModelError, type UnsupportedNode } from './import';
export * as passes from './passes';
export { type PatternSwitch, parsePatternSwitch } from './pattern-switch';
export { PIPELINE, type PipelineEntry } from './pipeline';
export type { Rounding } from './rewrite';
export {
  type ActivationRange,
  type AnyPattern,
  type Captures,
  constant,
  Declined,
  decline,
  emptyContext,
  GraphIndex,
  oneOf,
  op,
  optional,
  type Pass,
  type PassContext,
  type PassEvent,
  PassLog,
  type Pattern,
  pruneValues,
  type Replacement,
  type RewriteSpec,
  rewrite,
  scalar,
  value,
} from './rewrite';
