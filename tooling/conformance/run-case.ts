import { type Case, dataSets, modelBytes } from './cases';
import { difference } from './compare';
import { compile, decodeModel, decodeTensor, EngineError, Model, type Tensor, widen } from './engine';

/**
 * What became of a test. `unsupported` means a clean refusal before anything ran; everything else but `pass` is a fault.
 */
export interface Outcome {
  readonly kind: 'pass' | 'unsupported' | 'wrong' | 'error';
  readonly detail: string;
}

const elements = (tensor: Tensor): ArrayLike<number | bigint> =>
  tensor.dtype === 'f16' || tensor.dtype === 'bf16' ? widen(tensor.data as Uint16Array, tensor.dtype) : tensor.data;

function readTensor(bytes: Uint8Array): Tensor {
  const tensor = decodeTensor(bytes);
  return { dtype: tensor.dtype as Tensor['dtype'], dims: tensor.dims, data: tensor.data() };
}

/** Loads a test's model, runs every data set, and compares. */
export async function runCase(test: Case): Promise<Outcome> {
  let model: Model;
  try {
    model = await Model.fromGraph(compile(decodeModel(modelBytes(test), { directory: test.directory })));
  } catch (error) {
    if (EngineError.isInstance(error) && error.code === 'E_UNSUPPORTED') return { kind: 'unsupported', detail: error.message };
    return failure(error);
  }
  const session = await model.session({ threads: 1 });
  try {
    for (const { inputs, outputs } of dataSets(test)) {
      const feeds = Object.fromEntries(inputs.map((bytes, i) => [model.inputs[i]?.name ?? `input ${i}`, readTensor(bytes)]));
      const results = await session.run(feeds);
      for (const [i, bytes] of outputs.entries()) {
        const { name } = model.outputs[i]!;
        const found = difference(results[name]!, readTensor(bytes), elements);
        if (found) return { kind: 'wrong', detail: `${name}: ${found}` };
      }
    }
    return { kind: 'pass', detail: '' };
  } catch (error) {
    return failure(error);
  } finally {
    await session.close();
  }
}

const failure = (error: unknown): Outcome => ({
  kind: 'error',
  detail: EngineError.isInstance(error) ? `${error.code} ${error.stage}: ${error.message}` : String((error as Error)?.stack ?? error),
});
