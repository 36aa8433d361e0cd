import type { OpSchema } from '../schema';
import { ACTIVATION_SCHEMAS } from './activations';
import { ARITHMETIC_SCHEMAS } from './binary';
import { CAST_SCHEMAS } from './cast';
import { CLIP_SCHEMAS } from './clip';
import { COMPARE_SCHEMAS } from './compare';
import { DYNAMIC_QUANTIZE_SCHEMAS } from './dynamic-quantize';
import { EINSUM_SCHEMAS } from './einsum';
import { ENGINE_ENCODER_SCHEMAS } from './engine-encoder';
import { ENGINE_LINEAR_SCHEMAS } from './engine-linear';
import { FILL_SCHEMAS } from './fill';
import { GATHER_SCHEMAS } from './gather';
import { LOGIC_SCHEMAS } from './logic';
import { MATMUL_SCHEMAS } from './matmul';
import { MOVEMENT_SCHEMAS } from './movement';
import { NORMALIZE_SCHEMAS, SOFTMAX_SCHEMAS } from './normalize';
import { PAD_SCHEMAS } from './pad';
import { QUANTIZE_SCHEMAS } from './quantize';
import { REDUCE_SCHEMAS } from './reduce';
import { RESHAPE_SCHEMAS } from './reshape';
import { SCATTER_SCHEMAS } from './scatter';
import { SELECT_SCHEMAS } from './select';
import { SLICE_SCHEMAS } from './slice';
import { SPACE_SCHEMAS } from './space';
import { UNARY_SCHEMAS } from './unary';

const ALL: readonly OpSchema[] = [
  ...UNARY_SCHEMAS,
  ...ACTIVATION_SCHEMAS,
  ...CLIP_SCHEMAS,
  ...ARITHMETIC_SCHEMAS,
  ...COMPARE_SCHEMAS,
  ...LOGIC_SCHEMAS,
  ...CAST_SCHEMAS,
  ...RESHAPE_SCHEMAS,
  ...MOVEMENT_SCHEMAS,
  ...SLICE_SCHEMAS,
  ...PAD_SCHEMAS,
  ...SPACE_SCHEMAS,
  ...FILL_SCHEMAS,
  ...GATHER_SCHEMAS,
  ...SCATTER_SCHEMAS,
  ...REDUCE_SCHEMAS,
  ...SELECT_SCHEMAS,
  ...SOFTMAX_SCHEMAS,
  ...NORMALIZE_SCHEMAS,
  ...MATMUL_SCHEMAS,
  ...EINSUM_SCHEMAS,
  ...QUANTIZE_SCHEMAS,
  ...ENGINE_LINEAR_SCHEMAS,
  ...ENGINE_ENCODER_SCHEMAS,
  ...DYNAMIC_QUANTIZE_SCHEMAS,
];

const BY_NAME: ReadonlyMap<string, OpSchema> = new Map(ALL.map((schema) => [schema.op, schema]));

/** The schema of an operator, or undefined where the engine has no such operator. */
export const schemaOf = (op: string): OpSchema | undefined => BY_NAME.get(op);

/** Every operator, ordered by family. */
export const allSchemas = (): readonly OpSchema[] => ALL;
