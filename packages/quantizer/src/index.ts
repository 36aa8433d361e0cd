export { BETWEEN, type Between } from './between';
export { roundWeight, toBf16Graph } from './bf16';
export { toBf16Onnx } from './bf16-onnx';
export {
  type Calibration,
  type CalibrationOptions,
  calibrate,
  chooseRanges,
  type GraphRunner,
  type Sample,
  type Samples,
} from './calibrate';
export { calibrationGraph, preActivation } from './calibration-graph';
export type { ChannelPlan } from './channels/plan';
export { CALIBRATION_METHODS, type CalibrationMethod, chooseRange, quantizationError, type RangeOptions } from './choose-range';
export { type FallbackOptions, type FallbackResult, searchFallbacks, type Trial } from './fallback';
export { Histogram, type Range } from './histogram';
export { type LayerReport, layerReports, type ValueReport } from './layer-report';
export { BINS, type Extent, type Observer, plainObserver } from './observer';
export {
  dynamicOnnx,
  type OnnxRunner,
  type QdqOptions,
  type QuantizedOnnx,
  type QuantizeOnnxOptions,
  qdqOnnx,
  quantizeOnnx,
} from './onnx/quantize-onnx';
export { PRECISIONS, type Precision, requirePrecision } from './precision';
export { quantizeDynamic } from './quantize-dynamic';
export { observedValues, quantizeGraph } from './quantize-graph';
export type { Warning } from './range-warnings';
export { LAYER_PRECISIONS, type LayerPrecision, parseRecipe, printRecipe, type Recipe } from './recipe';
export { isHead, isProduct, type QuantizedPrecision, type Selection, select } from './select';
export { decibels, type LayerSensitivity, measureSensitivity, type Sensitivity, type SensitivityOptions } from './sensitivity';
export { clippedShare, valueSnr } from './value-noise';
export type { ValueRange } from './value-range';
export { type QuantizedWeight, quantizeWeight } from './weight';
export { weightWarnings } from './weight-warnings';
