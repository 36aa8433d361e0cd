export { type Calibration, type CalibrationOptions, calibrate, type GraphRunner } from './calibrate';
export { calibrationGraph, preActivation } from './calibration-graph';
export { type CalibrationMethod, chooseRange, type RangeOptions } from './choose-range';
export { Histogram, type Range } from './histogram';
export { PRECISIONS, type Precision, requirePrecision } from './precision';
export { observedValues, quantizeGraph } from './quantize-graph';
export { type Recipe, type Selection, select } from './select';
export { type QuantizedWeight, quantizeWeight } from './weight';
