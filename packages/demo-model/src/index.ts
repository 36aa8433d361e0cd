export { demoModelDirectory, demoModelPath } from './model';
export { type DemoExample, demoCalibration, demoCalibrationPath, demoSamples, demoSamplesPath } from './samples';
