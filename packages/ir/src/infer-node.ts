import {
  type DType,
  dtypeBytes,
  EngineError,
  type ErrorCode,
  elementCount,
  isStatic,
  LIMITS,
  type Stage,
  type Tensor,
} from '@neural-engine/core';
import { checkAttributes, checkOperands, withDefaults } from './check-node';
import type { Attributes, Node } from './graph';
import type { InferContext, KnownValue, OpSchema, OutputSpec, SchemaErrorCode } from './schema';
import { fromNumbers, isBig } from './schemas/cells';
import { schemaOf } from './schemas/index';

/** Constant results of up to this many elements are computed while shapes are inferred, if they cost no more than this. */
const MAX_EVALUATED_ELEMENTS = 4096;
const MAX_EVALUATED_MACS = 2 ** 20;
/** Folding larger products takes longer than any load should. */
const FOLDED_MACS = 2 ** 28;

export interface InferNodeOptions {
  /** The stage that errors name. */
  readonly stage?: Stage;
  /** False skips the checks of operands and attributes, for nodes that passed them before. */
  readonly check?: boolean;
}

/** An error about a node: the message starts with its name and operator. */
export function nodeError(node: Node, code: ErrorCode, stage: Stage, message: string, cause?: unknown): EngineError {
  return new EngineError(code, stage, `node "${node.name}" (${node.op}): ${message}`, {
    where: node.name,
    ...(cause !== undefined && { cause }),
  });
}

/** Runs `work` and gives errors about its data the name of the node. */
function naming<T>(node: Node, stage: Stage, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof EngineError && error.where !== node.name) throw nodeError(node, error.code, stage, error.message, error);
    throw error;
  }
}

class NodeContext implements InferContext {
  readonly node: string;
  readonly outputCount: number;
  constructor(
    private readonly source: Node,
    private readonly stage: Stage,
    readonly inputs: readonly (KnownValue | undefined)[],
    readonly attributes: Attributes,
  ) {
    this.node = source.name;
    this.outputCount = source.outputs.length;
  }

  fail(code: SchemaErrorCode, message: string): never {
    throw nodeError(this.source, code, this.stage, message);
  }
}

/**
 * What is known of the outputs of a node: dtype and shape, the elements of shape arithmetic, and small constant results.
 *
 * @param known  What is known of each value the node reads; a graph's `Value` will do.
 * @returns One entry per output slot that the operator fills, at least as many as the node names.
 * @throws {EngineError} E_UNSUPPORTED no such operator; E_MODEL, E_SHAPE, E_LIMIT or E_QUANT the node does not fit its operands.
 */
export function inferNode(node: Node, known: (name: string) => KnownValue, options: InferNodeOptions = {}): KnownValue[] {
  const { stage = 'compile', check = true } = options;
  const schema = schemaOf(node.op);
  if (!schema) throw nodeError(node, 'E_UNSUPPORTED', stage, 'the engine has no such operator');
  const inputs = node.inputs.map((name) => (name ? known(name) : undefined));
  if (check) {
    const fail = (message: string): never => {
      throw nodeError(node, 'E_MODEL', stage, message);
    };
    checkAttributes(node, schema, fail);
    checkOperands(node, schema, inputs, fail);
  }
  const attributes = withDefaults(schema, node.attributes);
  return naming(node, stage, () => {
    const outputs = schema.infer(new NodeContext(node, stage, inputs, attributes));
    for (let i = 0; i < outputs.length; i++) outputs[i] = promoted(outputs[i]!);
    return settled(schema, inputs, attributes, outputs) ?? outputs;
  });
}

/** The integers that a tracked dtype holds, where a double can tell. */
const TRACKED_RANGES: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  s32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  u64: [0, Number.MAX_SAFE_INTEGER],
};

/** Elements that are all numbers make a constant. Sizes are checked on the way. */
function promoted(value: KnownValue): KnownValue {
  const { shape, dtype, elements, constant } = value;
  if (!shape) return value;
  if (shape.length > LIMITS.rank) throw new EngineError('E_LIMIT', 'check', `rank ${shape.length} is above the limit of ${LIMITS.rank}`);
  if (!isStatic(shape)) return value;
  const bytes = elementCount(shape, 'its result') * (dtype === 'string' ? 1 : dtypeBytes(dtype));
  if (bytes > LIMITS.arenaBytes) {
    throw new EngineError(
      'E_LIMIT',
      'check',
      `its result [${shape.join(', ')}] has ${bytes} bytes, above the limit of ${LIMITS.arenaBytes}`,
    );
  }
  if (constant || !elements || !isStatic(elements)) return value;
  const [low, high] = TRACKED_RANGES[dtype] ?? [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  // Tracked elements are whole numbers without bounds; where the dtype would wrap, the exact evaluation decides.
  if (elements.some((element) => element < low || element > high)) return { dtype, shape };
  const data = isBig(dtype) ? BigInt64Array.from(elements, BigInt) : undefined;
  return { dtype, shape, elements, constant: data && dtype === 's64' ? { dtype, dims: shape, data } : fromNumbers(dtype, shape, elements) };
}

/** The outputs computed, where every operand is a small constant and so are they. */
function settled(
  schema: OpSchema,
  inputs: readonly (KnownValue | undefined)[],
  attributes: Attributes,
  outputs: readonly KnownValue[],
): KnownValue[] | undefined {
  if (!schema.evaluate || inputs.length === 0) return undefined;
  for (const input of inputs) if (input && !(input.constant && input.constant.data.length <= MAX_EVALUATED_ELEMENTS)) return undefined;
  let open = false;
  for (const { dtype, shape, constant } of outputs) {
    if (!shape || dtype === 'string' || !isStatic(shape) || elementCount(shape) > MAX_EVALUATED_ELEMENTS) return undefined;
    open ||= !constant;
  }
  if (!open) return undefined;
  if (!(workOf(schema, inputs, attributes, outputs) <= MAX_EVALUATED_MACS)) return undefined;
  const results = schema.evaluate(
    inputs.map((input) => input?.constant),
    attributes,
    outputs.map(({ dtype, shape }) => ({ dtype, dims: shape as readonly number[] })),
  );
  return results.map((constant, i) => ({ ...outputs[i]!, constant }));
}

/** Multiply-accumulates of a call whose shapes are known; 0 where they do not matter. */
function workOf(
  schema: OpSchema,
  inputs: readonly (KnownValue | undefined)[],
  attributes: Attributes,
  outputs: readonly KnownValue[],
): number {
  if (!schema.macs) return 0;
  const macs = schema.macs(
    attributes,
    inputs.map((input) => input?.shape),
    outputs.map((output) => output.shape),
  );
  return typeof macs === 'number' ? macs : Number.POSITIVE_INFINITY;
}

export interface EvaluateNodeOptions {
  /** Results of more bytes than this are refused before anything is allocated. */
  readonly limitBytes?: number;
  /** Products of more multiply-accumulates than this are refused. */
  readonly limitMacs?: number;
  readonly stage?: Stage;
}

/**
 * The exact outputs of a node on constant operands; `undefined` where the operator cannot be evaluated.
 *
 * @param inputs  One per input of the node, `undefined` for an absent one.
 * @throws {EngineError} E_LIMIT a result is larger than allowed; E_MODEL, E_SHAPE, E_QUANT the operands do not fit.
 */
export function evaluateNode(node: Node, inputs: readonly (Tensor | undefined)[], options: EvaluateNodeOptions = {}): Tensor[] | undefined {
  const { limitBytes = LIMITS.foldedBytesPerNode, limitMacs = FOLDED_MACS, stage = 'compile' } = options;
  const schema = schemaOf(node.op);
  if (!schema?.evaluate) return undefined;
  const byName = new Map(node.inputs.map((name, i) => [name, inputs[i]]));
  const inferred = inferNode(
    node,
    (name) => {
      const tensor = byName.get(name);
      if (!tensor) throw nodeError(node, 'E_INTERNAL', stage, `no tensor is given for input "${name}"`);
      return { dtype: tensor.dtype, shape: tensor.dims, constant: tensor };
    },
    { stage },
  );
  return naming(node, stage, () => {
    const outputs = inferred.map((value): OutputSpec => outputSpec(value, limitBytes));
    if (inferred.every(({ constant }) => constant)) return inferred.map(({ constant }) => constant!);
    const attributes = withDefaults(schema, node.attributes);
    const operands = inputs.map((tensor): KnownValue | undefined => tensor && { dtype: tensor.dtype, shape: tensor.dims });
    const work = workOf(schema, operands, attributes, inferred);
    if (work > limitMacs) throw new EngineError('E_LIMIT', 'check', `${work} multiplications are above the limit of ${limitMacs}`);
    return schema.evaluate!(inputs, attributes, outputs);
  });
}

function outputSpec({ dtype, shape }: KnownValue, limitBytes: number): OutputSpec {
  if (!shape || !isStatic(shape)) throw new EngineError('E_UNSUPPORTED', 'check', 'the shape of its result depends on data');
  const bytes = elementCount(shape, 'its result') * dtypeBytes(dtype);
  if (bytes > limitBytes) throw new EngineError('E_LIMIT', 'check', `its result has ${bytes} bytes, above the limit of ${limitBytes}`);
  return { dtype, dims: shape };
}
