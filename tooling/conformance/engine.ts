// The engine's packages as these tests use them. Tooling is no package of the workspace, so it reaches them by path, here only.

export { compile } from '../../packages/compiler/src/index';
export { type DType, EngineError, isFloat, type Tensor, widen } from '../../packages/core/src/index';
export { decodeModel, decodeTensor } from '../../packages/onnx/src/index';
export { Model } from '../../packages/runtime/src/index';
