import { compile } from '@neural-engine/compiler';
import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import { makeValueInfo, type OnnxModel } from '@neural-engine/onnx';
import { valuesBetween } from '../between';
import { toBf16Onnx } from '../bf16-onnx';
import { type CalibrationOptions, calibrate, type GraphRunner } from '../calibrate';
import { calibrationGraph } from '../calibration-graph';
import type { Range } from '../histogram';
import { type Precision, requirePrecision } from '../precision';
import { observedValues } from '../quantize-graph';
import type { Recipe } from '../recipe';
import { type Selection, select } from '../select';
import { findInOnnx } from './find-products';
import { insertDynamic } from './insert-dynamic';
import { insertQdq } from './insert-qdq';
import { roundValues } from './round-between';

/**
 * Runs an ONNX model, which has `values` among its outputs, and returns those. A session of any runtime will do: this engine's or one of
 * onnxruntime-node over `encodeModel(model)`.
 */
export type OnnxRunner = (
  model: OnnxModel,
  values: readonly string[],
) => Promise<{
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  close(): Promise<void>;
}>;

export interface QuantizeOnnxOptions {
  /** `int8`: static, as Q/DQ pairs; needs `calibration` and `run`. `dynamic-int8`, `bf16`: ranges found at run time, or none; need neither. */
  readonly precision: Exclude<Precision, 'fp32'>;
  readonly calibration?: Omit<CalibrationOptions, 'run' | 'recipe' | 'values'>;
  readonly run?: OnnxRunner;
  /** Products that stay f32, by the names that the engine gives them (`ne inspect`). */
  readonly recipe?: Recipe;
  /** See {@link QdqOptions}. */
  readonly attention?: boolean;
}

export interface QdqOptions {
  readonly recipe?: Recipe;
  /**
   * Also put pairs around the products of attention, which this engine then computes in 8 bits. Default false: Q/DQ can code probabilities
   * over [0, 1] only, where those of long texts vanish, so that a runtime that follows the file to the letter loses accuracy.
   */
  readonly attention?: boolean;
}

export interface QuantizedOnnx {
  readonly model: OnnxModel;
  /** Products and attention blocks that are 8-bit now. */
  readonly products: number;
  readonly attentions: number;
  /** Names of what the engine would quantise or round and whose form in the file was not recognised: it stays f32. */
  readonly left: readonly string[];
}

/** Operators of quantised models; DequantizeLinear alone may store a table in fewer bytes. */
const CODES = /^(QuantizeLinear|DynamicQuantizeLinear|QLinear\w+|MatMulInteger|ConvInteger|DynamicQuantizeMatMul|QAttention)$/;

/** Scales for each channel and bf16 came with opset 13. */
const FIRST_OPSET = 13;

/**
 * Quantises an ONNX model within ONNX: the same nodes and names, with Q/DQ pairs or integer products where the engine computes in 8 bits,
 * or with weights and inputs of products rounded to bf16. Any runtime may run the result. The argument is not changed.
 *
 * @throws {EngineError} E_UNSUPPORTED an opset below 13 or what the engine cannot compile; E_QUANT it is quantised
 * already, holds nothing to quantise, or calibration found no range; E_USAGE, E_DATASET what is wrong with the options or the samples.
 */
export async function quantizeOnnx(model: OnnxModel, options: QuantizeOnnxOptions): Promise<QuantizedOnnx> {
  const precision = requirePrecision(options.precision);
  if (precision === 'dynamic-int8') return dynamicOnnx(model, options.recipe);
  if (precision === 'fp32') throw new EngineError('E_USAGE', 'quantize', 'fp32 is what the model is already', { where: 'precision' });
  const graph = compiled(model);
  if (precision === 'bf16') return bf16(model, graph, options.recipe);
  const { ranges } = await observe(model, graph, options);
  return qdq(model, graph, ranges, options);
}

/**
 * Static int8 in ONNX by ranges that are known: those of a calibration of the compiled model, whose values have the file's names.
 *
 * @throws {EngineError} as {@link quantizeOnnx}.
 */
export function qdqOnnx(model: OnnxModel, ranges: ReadonlyMap<string, Range>, options: QdqOptions = {}): QuantizedOnnx {
  return qdq(model, compiled(model), ranges, options);
}

/**
 * Dynamic int8 in ONNX.
 *
 * @throws {EngineError} as {@link quantizeOnnx}.
 */
export function dynamicOnnx(model: OnnxModel, recipe: Recipe = {}): QuantizedOnnx {
  const graph = compiled(model);
  const selection = select(graph, recipe, 'dynamic-int8');
  const find = (edited: OnnxModel) => findInOnnx(edited, graph, selection);
  const { products, left } = find(model);
  const coded = rounded(withHalves(insertDynamic(model, find), graph, selection.halves), graph, selection, recipe);
  return { model: coded.model, products: products.length, attentions: 0, left: [...left, ...coded.left] };
}

function qdq(model: OnnxModel, graph: Graph, ranges: ReadonlyMap<string, Range>, { recipe, attention = false }: QdqOptions): QuantizedOnnx {
  const selected = select(graph, recipe);
  const selection = attention ? selected : { ...selected, attentions: new Set<Node>() };
  const find = (edited: OnnxModel) => findInOnnx(edited, graph, selection);
  const { products, attentions, left } = find(model);
  const coded = rounded(withHalves(insertQdq(model, find, ranges), graph, selection.halves), graph, selection, recipe);
  return { model: coded.model, products: products.length, attentions: attentions.length, left: [...left, ...coded.left] };
}

function bf16(model: OnnxModel, graph: Graph, recipe: Recipe = {}): QuantizedOnnx {
  const selection = select(graph, recipe, 'bf16');
  const { products } = selection;
  return { ...rounded(withHalves(model, graph, products), graph, selection, recipe), products: products.size, attentions: 0 };
}

/** The model with the values between its products rounded, where the recipe wants that. */
function rounded(model: OnnxModel, graph: Graph, selection: Selection, recipe: Recipe = {}): { model: OnnxModel; left: string[] } {
  return recipe.between === 'bf16' ? roundValues(model, valuesBetween(graph, selection)) : { model, left: [] };
}

/** The model with the weights of some products, and what those read, rounded to bf16. */
function withHalves(model: OnnxModel, graph: Graph, halves: ReadonlySet<Node>): OnnxModel {
  if (halves.size === 0) return model;
  return toBf16Onnx(model, new Map([...halves].map(({ inputs: [, weight] }) => [weight!, graph.constant(weight)!])));
}

/** The graph by which the engine decides; refuses what cannot be quantised before it compiles anything. */
function compiled(model: OnnxModel): Graph {
  const opset = model.opsets.get('') ?? 0;
  if (opset < FIRST_OPSET)
    throw new EngineError(
      'E_UNSUPPORTED',
      'quantize',
      `int8 and bf16 need opset ${FIRST_OPSET}, the model has opset ${opset}; export it again with a newer one`,
    );
  const coded = model.graph.nodes.find(({ opType }) => CODES.test(opType));
  if (coded)
    throw new EngineError(
      'E_QUANT',
      'quantize',
      `the model is quantised already (node "${coded.name}", ${coded.opType}); start from its f32 form`,
      { where: coded.name },
    );
  return compile(model);
}

/** Calibrates by running the file itself, with the values that are observed among its outputs. */
async function observe(model: OnnxModel, graph: Graph, { calibration, run, recipe }: QuantizeOnnxOptions) {
  if (!calibration || !run)
    throw new EngineError('E_USAGE', 'quantize', 'static int8 needs calibration samples and a runner (options "calibration" and "run")');
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  const made = new Set(model.graph.nodes.flatMap((node) => node.outputs));
  const { products } = findInOnnx(model, graph, select(graph, recipe));
  // What a product reads may have lost its name to a merge of Reshapes; its node in the file reads the same elements.
  const read = new Map(products.map(({ node, compiled }) => [compiled.inputs[0]!, node.inputs[0]!]));
  const nameOf = (value: string): string => {
    const name = made.has(value) || inputs.has(value) ? value : read.get(value);
    if (name !== undefined) return name;
    throw new EngineError('E_QUANT', 'quantize', `"${value}" has to be observed and is no value of the file`, { where: value });
  };
  const runner: GraphRunner = async (_, values) => {
    const names = new Map(values.map((value) => [value, nameOf(value)]));
    const outputs = [...new Set(names.values())].filter((name) => !inputs.has(name));
    const session = await run(withOutputs(model, outputs), outputs);
    return {
      run: async (feeds) => {
        const found = { ...feeds, ...(await session.run(feeds)) };
        return Object.fromEntries(
          [...names].map(([value, name]) => [value, value === name ? found[name]! : unflattened(found[name]!, graph, value, feeds)]),
        );
      },
      close: () => session.close(),
    };
  };
  // Activations stand beside their products in the file: values before them need no observing.
  const observed = observedValues(calibrationGraph(graph), recipe);
  return calibrate(graph, { ...calibration, run: runner, values: observed, ...(recipe ? { recipe } : {}) });
}

/** A tensor with the dims that a value of the graph has for these feeds, as far as its inputs tell them. */
function unflattened(tensor: Tensor, graph: Graph, value: string, feeds: Readonly<Record<string, Tensor>>): Tensor {
  const symbols = new Map<unknown, number>();
  for (const name of graph.inputs)
    graph.value(name).shape?.forEach((dim, axis) => {
      symbols.set(dim, feeds[name]!.dims[axis]!);
    });
  const dims = graph.value(value).shape?.map((dim) => (typeof dim === 'number' ? dim : symbols.get(dim)));
  return dims?.every((dim) => dim !== undefined) ? { ...tensor, dims: dims as number[] } : tensor;
}

/** The model with more outputs. */
function withOutputs(model: OnnxModel, values: readonly string[]): OnnxModel {
  const has = new Set(model.graph.outputs.map(({ name }) => name));
  const more = values.filter((name) => !has.has(name)).map((name) => makeValueInfo(name, 'f32'));
  return { ...model, graph: { ...model.graph, outputs: [...model.graph.outputs, ...more] } };
}
