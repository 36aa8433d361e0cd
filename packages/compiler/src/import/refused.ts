/** Operators of ONNX that are never imported, with the reason. What has no schema at all is refused without one. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ['Loop', 'loops are not supported'],
  ['Scan', 'loops are not supported'],
  ['Resize', 'resampling of images is not supported'],
  ['Upsample', 'resampling of images is not supported'],
]);
