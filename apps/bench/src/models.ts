import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { demoModelPath } from '@neural-engine/demo-model';
import { compileModel, quantize, type Tensor, writeIr } from '@neural-engine/engine';
import { encodeModel, writeModel } from '@neural-engine/onnx';
import * as ort from 'onnxruntime-node';
import { BASE, encoderModel } from '../../../tooling/models/encoder';
import { bodyFeeds, tokenFeeds } from './feeds';
import { type BodyShape, type OrtForm, ortBody } from './ort-graphs';

/** The embedded model's layers. */
export const DEMO: BodyShape = { layers: 6, hidden: 384, heads: 12, ffn: 1536 };

/** The models that sections measure, made once and kept in a folder that the processes of one benchmark share. */
export class Models {
  constructor(readonly folder: string) {}

  /** A folder for packed weights. */
  get cache(): string {
    return join(this.folder, 'cache');
  }

  /** Whole DistilBERT-base-shaped model in fp32, ONNX, 80% zeros in 4x1 blocks. */
  async baseOnnx(): Promise<string> {
    const path = join(this.folder, 'base-80.onnx');
    if (!existsSync(path)) await writeModel(encoderModel({ ...BASE, family: 'distilbert', sparsity: 0.8, seed: 11 }), path);
    return path;
  }

  /** The same, static int8. */
  async baseInt8(between: 'fp32' | 'bf16' = 'fp32'): Promise<string> {
    const onnx = await this.baseOnnx();
    const samples = [tokenFeeds({ batch: 1, seqLen: 128 }), tokenFeeds({ batch: 1, seqLen: 96 })];
    return this.int8(between === 'fp32' ? 'base-80-int8' : `base-80-int8-${between}`, onnx, samples, between);
  }

  /** The same in bf16. */
  baseBf16(): Promise<string> {
    return this.without('bf16');
  }

  /** The same, dynamic int8. */
  baseDynamic(): Promise<string> {
    return this.without('dynamic-int8');
  }

  /** Only the layers of it, static int8, with this share of zeros. */
  async bodyInt8(sparsity: number): Promise<string> {
    const { vocabulary: _, positions: __, ...shape } = BASE;
    const model = encoderModel({ ...shape, vocabulary: 1, positions: 1, family: 'distilbert', sparsity, seed: 11, body: true });
    return this.int8(`body-${Math.round(sparsity * 100)}-int8`, encodeModel(model), [
      bodyFeeds({ batch: 1, seqLen: 128 }, BASE.hidden),
      bodyFeeds({ batch: 1, seqLen: 96 }, BASE.hidden, 8),
    ]);
  }

  /** The embedded model, static int8. */
  demoInt8(): Promise<string> {
    return this.int8('demo-int8', demoModelPath(), [tokenFeeds({ batch: 1, seqLen: 128 }), tokenFeeds({ batch: 1, seqLen: 96 })]);
  }

  /** The base model in a precision that needs no calibration. */
  private async without(precision: 'bf16' | 'dynamic-int8'): Promise<string> {
    const path = join(this.folder, `base-80-${precision}`);
    if (!existsSync(path)) await writeIr((await quantize(await compileModel(await this.baseOnnx()), { precision })).graph, path);
    return path;
  }

  private async int8(
    name: string,
    source: string | Uint8Array,
    samples: Record<string, Tensor>[],
    between: 'fp32' | 'bf16' = 'fp32',
  ): Promise<string> {
    const path = join(this.folder, name);
    if (!existsSync(path)) {
      const { graph } = await quantize(await compileModel(source), { samples, recipe: { between } });
      await writeIr(graph, path);
    }
    return path;
  }
}

/** ONNX Runtime on a model, with all its optimisations. */
export const openPeer = (model: string | Uint8Array, threads: number): Promise<ort.InferenceSession> =>
  ort.InferenceSession.create(model as string, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });

/** ONNX Runtime on encoder layers of this shape. */
export const openBody = (form: OrtForm, shape: BodyShape, threads: number): Promise<ort.InferenceSession> =>
  openPeer(encodeModel(ortBody(form, shape)), threads);
