export { allocate, bytesOf, DTYPES, type DType, dtypeBytes, isFloat, isInteger, type TypedArray, viewBytes } from './dtype';
export { assert, EngineError, type EngineErrorOptions, type ErrorCode, EXIT_CODES, type Stage, unreachable } from './errors';
export { fromBf16, fromF16, toBf16, toF16, widen } from './float16';
export { LIMITS, type Limits } from './limits';
export { type Dim, type Dims, elementCount, formatShape, isStatic, type Shape, sameDims } from './shape';
export { s64, type Tensor, tensor, toNumbers, zeros } from './tensor';
