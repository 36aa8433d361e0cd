import type { OnnxModel } from '../types';
export function checkModel(_model: OnnxModel): void {}
