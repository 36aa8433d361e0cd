import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineError } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { decodeModel, decodeTensor } from './decode-model';
import { encodeModel } from './encode/model';
import { readModel } from './read-model';
import { onnxFiles, withoutWarnings } from './testing/models';
import { sharedFolder } from './testing/shared';

/** What the parser and the checker say to each malformed file; `ok` where only an operator's own rules are broken. */
const EXPECTED: Record<string, string> = {
  '00_valid_base.onnx': 'ok',
  'len_huge.onnx': 'E_PARSE',
  'wire3_group.onnx': 'E_PARSE',
  'wire7.onnx': 'E_PARSE',
  'field0.onnx': 'E_PARSE',
  'unknown_fields.onnx': 'ok',
  'deep_nest.onnx': 'E_MODEL',
  'dims_overflow.onnx': 'E_SHAPE',
  'dims_vs_raw_long.onnx': 'E_MODEL',
  'dtype_unknown.onnx': 'E_MODEL',
  'dtype_undefined.onnx': 'E_MODEL',
  'raw_and_float_data.onnx': 'E_MODEL',
  'cycle.onnx': 'E_MODEL',
  'not_topological.onnx': 'E_MODEL',
  'missing_input.onnx': 'E_MODEL',
  'dup_output.onnx': 'E_MODEL',
  'dup_initializer.onnx': 'E_MODEL',
  'unknown_op.onnx': 'ok',
  'no_opset.onnx': 'E_MODEL',
  'opset_negative.onnx': 'E_MODEL',
  'ir_zero.onnx': 'E_MODEL',
  'too_few_inputs.onnx': 'ok',
  'too_many_inputs.onnx': 'ok',
  'matmul_shape_mismatch.onnx': 'ok',
  'ext_parent.onnx': 'E_PATH',
  'ext_abs.onnx': 'E_PATH',
  'ext_backslash.onnx': 'E_PATH',
  'ext_missing.onnx': 'E_NOT_FOUND',
  'ext_empty_location.onnx': 'E_PATH',
  'ext_neg_offset.onnx': 'E_MODEL',
  'ext_nonnumeric.onnx': 'E_MODEL',
  'ext_dot.onnx': 'E_PATH',
  'ext_nul.onnx': 'E_PATH',
  'q_scale_nan.onnx': 'E_QUANT',
  'q_scale_neg.onnx': 'E_QUANT',
  'q_axis_len_mismatch.onnx': 'E_QUANT',
  'q_zp_dtype_mismatch.onnx': 'E_QUANT',
  'bad_utf8_optype.onnx': 'E_PARSE',
};

const malformed = sharedFolder('data/malformed-onnx');

describe.skipIf(malformed === undefined)('the malformed models', () => {
  const rows = malformed === undefined ? [] : readFileSync(join(malformed, 'INDEX.csv'), 'utf8').trim().split('\n').slice(1);

  it('are 55 beside the valid one', () => expect(rows).toHaveLength(56));

  it.each(rows.map((row) => row.split(',').slice(0, 2)))(
    '%s (%s) ends in its typed error, at once and in little memory',
    async (file, _) => {
      const expected = file!.startsWith('trunc_') ? /^E_(PARSE|MODEL)$/ : new RegExp(`^${EXPECTED[file!]}$`);
      const before = process.memoryUsage().rss;
      const started = performance.now();
      const outcome = await readModel(join(malformed!, file!)).then(
        () => ({ code: 'ok', message: '' }),
        (error: EngineError) => error,
      );
      expect(performance.now() - started).toBeLessThan(1000);
      expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
      expect(outcome.code).toMatch(expected);
      expect(outcome.message).not.toContain(malformed);
    },
  );
});

describe.each(
  ['node', 'simple', 'pytorch-converted', 'pytorch-operator', 'light']
    .map((set) => `data/onnx/onnx-backend-v1.22.0/${set}`)
    .concat('models/exports', 'data/bert-tiny'),
)('the models of %s', (name) => {
  const folder = sharedFolder(name);
  it.skipIf(folder === undefined)('decode, pass the check, and read back equal after encoding', { timeout: 120_000 }, async () => {
    let count = 0;
    for (const path of onnxFiles(folder!)) {
      const model = await readModel(path);
      const again = decodeModel(encodeModel(model));
      expect(withoutWarnings(again), path).toEqual(withoutWarnings(model));
      count++;
    }
    expect(count).toBeGreaterThan(0);
  });
});

const nodeTests = sharedFolder('data/onnx/onnx-backend-v1.22.0/node');

it.skipIf(nodeTests === undefined)('reads the tensors that lie beside node tests', () => {
  const tensor = decodeTensor(readFileSync(join(nodeTests!, 'test_abs/test_data_set_0/input_0.pb')));
  expect(tensor).toMatchObject({ dtype: 'f32', dims: [3, 4, 5] });
  expect(tensor.data()).toHaveLength(60);
});
