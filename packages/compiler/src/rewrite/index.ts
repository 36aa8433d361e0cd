export { GraphIndex, pruneValues } from './graph-index';
export { type ActivationRange, carryRange, emptyContext, type Pass, type PassContext, type Rounding } from './pass';
export { type AnyPattern, constant, oneOf, op, optional, type Pattern, scalar, value } from './pattern';
export { Declined, decline, type Replacement } from './replacement';
export { type PassEvent, PassLog } from './report';
export { type Captures, type RewriteSpec, rewrite } from './rewrite';
