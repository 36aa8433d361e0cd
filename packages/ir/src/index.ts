export { type Attributes, type AttributeValue, Graph, type Node, type Value } from './graph';
export type { AttributeSpec, InferContext, KnownValue, OpSchema, Slot } from './schema';
