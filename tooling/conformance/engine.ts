// The engine's packages as these tests use them. Tooling is no package of the workspace, so it reaches them by path, here only.
export { compile, OPSETS } from '../../packages/compiler/src/index';
export { DTYPES, type DType, EngineError, isFloat, isInteger, type Tensor, widen } from '../../packages/core/src/index';
export { allSchemas, type OpSchema } from '../../packages/ir/src/index';
export { decodeModel, decodeTensor } from '../../packages/onnx/src/index';
export { Model } from '../../packages/runtime/src/index';
export { genericObstacle, genericOperators } from '../../packages/runtime/src/lower/generic/index';
