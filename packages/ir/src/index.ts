export { addDims, broadcastShapes, dimProduct, divideDims, multiplyDims, subtractDims, unifyDims } from './dims';
export { type Attributes, type AttributeValue, Graph, type Node, type Value } from './graph';
export { type InferResult, type InferredValue, inferShapes, shapeDataInputs } from './infer';
export { type EvaluateNodeOptions, evaluateNode, type InferNodeOptions, inferNode } from './infer-node';
export type { AttributeSpec, InferContext, KnownValue, OpSchema, OutputSpec, SchemaErrorCode, Slot } from './schema';
export { allSchemas, schemaOf } from './schemas/index';
