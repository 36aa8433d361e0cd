import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SCHEMA } from './generated/schema';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

describe('the generated code', () => {
  it('is what the schema compiles to', { timeout: 120_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'onnx-generated-'));
    try {
      execFileSync(process.execPath, [path('../scripts/generate.mjs'), folder]);
      for (const name of ['onnx.js', 'onnx.d.ts', 'schema.ts']) {
        expect(readFileSync(join(folder, name), 'utf8') === readFileSync(path(`./generated/${name}`), 'utf8'), name).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('has the field numbers of the ONNX specification', () => {
    const numbers = (message: string) => Object.fromEntries(SCHEMA[message]!.map(([number, name]) => [name, number]));
    expect(numbers('ModelProto')).toMatchObject({
      ir_version: 1,
      graph: 7,
      opset_import: 8,
      metadata_props: 14,
      training_info: 20,
      functions: 25,
      configuration: 26,
    });
    expect(numbers('GraphProto')).toMatchObject({
      node: 1,
      initializer: 5,
      input: 11,
      output: 12,
      value_info: 13,
      quantization_annotation: 14,
      sparse_initializer: 15,
    });
    expect(numbers('NodeProto')).toMatchObject({ op_type: 4, attribute: 5, domain: 7, overload: 8, device_configurations: 10 });
    expect(numbers('TensorProto')).toMatchObject({
      dims: 1,
      data_type: 2,
      float_data: 4,
      int64_data: 7,
      raw_data: 9,
      external_data: 13,
      data_location: 14,
    });
    expect(numbers('AttributeProto')).toMatchObject({
      f: 2,
      i: 3,
      s: 4,
      t: 5,
      g: 6,
      ints: 8,
      type: 20,
      ref_attr_name: 21,
      sparse_tensor: 22,
    });
    expect(numbers('TypeProto')).toMatchObject({
      tensor_type: 1,
      sequence_type: 4,
      map_type: 5,
      denotation: 6,
      sparse_tensor_type: 8,
      optional_type: 9,
    });
  });
});
