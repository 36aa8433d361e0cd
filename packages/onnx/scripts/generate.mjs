/**
 * Compiles `proto/onnx.proto` into `src/generated/`: the codec, its types, and the table that the pre-scan walks by.
 *
 * Run it with `pnpm --filter @neural-engine/onnx generate` after changing the schema, and commit what it writes.
 * A folder given as argument gets the files instead.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import protobuf from 'protobufjs';
import pbjsModule from 'protobufjs-cli/pbjs.js';

const pbjs = promisify(pbjsModule.main);
const root = fileURLToPath(new URL('..', import.meta.url));
const proto = join(root, 'proto/onnx.proto');
const generated = process.argv[2] ?? join(root, 'src/generated');

const options = [
  ['-t', 'static-module', '-w', 'esm', '-r', 'neural-engine-onnx', '--dependency', 'protobufjs/minimal.js', '--force-long'],
  ['--no-create', '--no-verify', '--no-delimited', '--no-convert', '--no-typeurl', '--no-service'],
].flat();

/** The code without comments; the types need the comments, so they come from a second run. */
async function compileCodec() {
  const scratch = mkdtempSync(join(tmpdir(), 'onnx-proto-'));
  try {
    await pbjs([...options, '--no-comments', '-o', join(generated, 'onnx.js'), proto]);
    await pbjs([...options, '--dts', '-o', join(scratch, 'onnx.js'), proto]);
    const types = readFileSync(join(scratch, 'onnx.d.ts'), 'utf8');
    // The package behind `Long` is not a dependency of this one; its shape is all that is used.
    const long = '/** A 64-bit integer as two 32-bit halves. */\ntype Long = { low: number; high: number; unsigned: boolean };';
    writeFileSync(join(generated, 'onnx.d.ts'), types.replace('import Long = require("long");', long));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

const KINDS = { float: 'fixed32', double: 'fixed64', string: 'string', bytes: 'bytes', int32: 'varint', int64: 'varint', uint64: 'varint' };

/** Field numbers, names, wire kinds and nested messages, as plain data. */
async function compileTable() {
  const schema = await protobuf.load(proto);
  schema.resolveAll();
  const messages = [];
  const visit = (namespace) => {
    for (const nested of namespace.nestedArray) {
      if (nested instanceof protobuf.Type) messages.push(nested);
      if (nested instanceof protobuf.Namespace) visit(nested);
    }
  };
  visit(schema);
  const nameOf = (type) => type.fullName.replace('.onnx.', '');
  const lines = messages.map((message) => {
    const fields = message.fieldsArray.map((field) => {
      const name = field.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const kind = field.resolvedType instanceof protobuf.Type ? nameOf(field.resolvedType) : KINDS[field.type];
      if (kind === undefined) throw new Error(`no wire kind for ${field.fullName}: ${field.type}`);
      return `    [${field.id}, '${name}', '${kind}', ${field.repeated}],`;
    });
    return `  '${nameOf(message)}': [\n${fields.join('\n')}\n  ],`;
  });
  const text = [
    '// Written by scripts/generate.mjs from proto/onnx.proto.',
    '',
    '/** Number, name, wire kind or message name, and whether the field repeats. */',
    'export type FieldRow = readonly [number: number, name: string, kind: string, repeated: boolean];',
    '',
    'export const SCHEMA: Readonly<Record<string, readonly FieldRow[]>> = {',
    ...lines,
    '};',
    '',
  ];
  writeFileSync(join(generated, 'schema.ts'), text.join('\n'));
}

await compileCodec();
await compileTable();
