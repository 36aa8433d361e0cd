import { bytesOf, EngineError, type Tensor } from '@neural-engine/core';
import { locate, type ModelSource } from '@neural-engine/engine';

/** An ONNX Runtime session that takes and gives this engine's tensors. */
export interface OrtSession {
  readonly inputNames: readonly string[];
  run(feeds: Readonly<Record<string, Tensor>>, outputs?: readonly string[]): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

const TYPES = {
  f32: 'float32',
  f64: 'float64',
  s64: 'int64',
  s32: 'int32',
  u8: 'uint8',
  s8: 'int8',
  bool: 'bool',
  u16: 'uint16',
  s16: 'int16',
  u32: 'uint32',
  u64: 'uint64',
  f16: 'float16',
} as const;
const DTYPES = Object.fromEntries(Object.entries(TYPES).map(([dtype, type]) => [type, dtype])) as Record<string, Tensor['dtype']>;

/** The file of a model, for ONNX Runtime. @throws {EngineError} E_NOT_FOUND; E_USAGE it is none that ONNX Runtime runs. */
export function ortFile(source: ModelSource): string {
  const located = locate(source);
  if (located.kind !== 'onnx-file') throw new EngineError('E_USAGE', 'usage', 'ONNX Runtime runs .onnx files only');
  return located.file;
}

/**
 * Opens a model in onnxruntime-node, which is no dependency of this package: it must be installed beside it.
 *
 * @param options.exact  Products of u8 by s8 are exact on every CPU. Without VNNI, ONNX Runtime otherwise lets sums of two products saturate.
 * @throws {EngineError} E_NOT_FOUND it is not installed; E_MODEL it refuses the model.
 */
export async function openOrt(
  model: string | Uint8Array,
  threads: number,
  { exact = false }: { readonly exact?: boolean } = {},
): Promise<OrtSession> {
  // A name the bundler cannot see, so that the package stays optional.
  const name = 'onnxruntime-node';
  let ort: typeof import('onnxruntime-node');
  try {
    ort = (await import(name)) as typeof import('onnxruntime-node');
  } catch (cause) {
    throw new EngineError(
      'E_NOT_FOUND',
      'load',
      'onnxruntime-node is not installed; install it beside @neural-engine/cli to compare with it',
      { cause },
    );
  }
  const options = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    ...(exact && { extra: { session: { x64quantprecision: '1' } } }),
  } as const;
  const session = await (typeof model === 'string'
    ? ort.InferenceSession.create(model, options)
    : ort.InferenceSession.create(model, options)
  ).catch((cause: unknown) => {
    throw new EngineError('E_MODEL', 'load', `ONNX Runtime refuses the model: ${String(cause)}`, { cause });
  });
  return {
    inputNames: session.inputNames,
    async run(feeds, outputs) {
      const converted = Object.fromEntries(
        Object.entries(feeds).map(([input, { dtype, dims, data }]) => [
          input,
          new ort.Tensor((TYPES as Record<string, string>)[dtype] as 'float32', (dtype === 'bool' ? bytesOf(data) : data) as Float32Array, [
            ...dims,
          ]),
        ]),
      );
      const results = outputs ? await session.run(converted, [...outputs]) : await session.run(converted);
      return Object.fromEntries(
        Object.entries(results).map(([output, { type, dims, data }]) => [
          output,
          { dtype: DTYPES[type]!, dims: [...dims], data: data as Float32Array },
        ]),
      );
    },
    close: () => session.release(),
  };
}
