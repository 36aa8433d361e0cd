import { fileURLToPath } from 'node:url';

/** A path inside this package; sources and built files both lie one folder below its root. */
export const packagePath = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url));

/** The folder with `model.onnx`, `config.json`, the tokenizer's files, LICENSE and NOTICE. */
export const demoModelDirectory = (): string => packagePath('files');

/**
 * The model: ONNX, opset 14, large weights stored as f16 and widened by Cast nodes.
 * Inputs `input_ids` and `attention_mask`, s64 `[batch, sequence]`; outputs `start_logits` and `end_logits`, f32 `[batch, sequence]`.
 */
export const demoModelPath = (): string => packagePath('files/model.onnx');
