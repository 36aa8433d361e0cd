import { allSchemas, DTYPES, type DType, genericObstacle, genericOperators, isFloat, isInteger, OPSETS, type OpSchema } from './engine';

const COMPUTED = DTYPES.filter((dtype) => dtype !== 'string');
const FLOATS = COMPUTED.filter(isFloat);
const INTEGERS = COMPUTED.filter(isInteger);

/** Short names for the sets that occur. */
const SETS: readonly (readonly [string, readonly DType[]])[] = [
  ['any', COMPUTED],
  ['numbers', [...FLOATS, ...INTEGERS]],
  ['floats', FLOATS],
  ['integers', INTEGERS],
];

function nameOf(dtypes: readonly DType[]): string {
  const has = (set: readonly DType[]): boolean => set.every((dtype) => dtypes.includes(dtype));
  const set = SETS.find(([, members]) => has(members));
  if (!set) return dtypes.join(', ');
  return [set[0], ...dtypes.filter((dtype) => !set[1].includes(dtype))].join(', ');
}

/** The dtypes of the first input for which there is a kernel. */
function takes({ op, inputs, attributes }: OpSchema, rowMajor: boolean): string {
  const accepted = (inputs[0]?.dtypes ?? COMPUTED).filter((dtype) => dtype !== 'string');
  const defaults = Object.fromEntries(
    Object.entries(attributes).flatMap(([name, spec]) => (spec.default === undefined ? [] : [[name, spec.default]])),
  );
  return nameOf(rowMajor ? accepted.filter((dtype) => genericObstacle(op, defaults, [dtype]) === undefined) : accepted);
}

/** Operators that no step computes. */
const NO_STEP: Readonly<Record<string, string>> = { Reorder: 'nothing to run' };

function section(title: string, schemas: readonly OpSchema[], generic: ReadonlySet<string>): string {
  const rows = schemas.map((schema) => {
    const rowMajor = generic.has(schema.op);
    const how = NO_STEP[schema.op] ?? (rowMajor ? (schema.kind === 'engine' ? 'panels, else row-major' : 'row-major') : 'panels');
    return `| \`${schema.op}\` | ${schema.summary.replaceAll('|', '\\|')} | ${takes(schema, rowMajor)} | ${how} |`;
  });
  return [`## ${title}`, '', '| operator | what it gives | first input | runs |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** The page of supported operators, from the schemas and the kernels' registry. */
export function operatorTable(passing: number): string {
  const generic = new Set(genericOperators());
  const byName = [...allSchemas()].sort((a, b) => (a.op < b.op ? -1 : 1));
  const of = (kind: OpSchema['kind']): OpSchema[] =>
    byName.filter((schema) => schema.kind === kind && (kind === 'engine' || generic.has(schema.op)));
  return `${[
    '# Supported operators',
    'This page is written by `node tooling/conformance/update.mjs`; a test fails when it is not current.',
    `ONNX models of opsets ${OPSETS.first} to ${OPSETS.last} are imported; older forms of an operator are brought to that of opset ${OPSETS.last}. Everything that a model needs and the engine lacks is listed when the model is loaded (E_UNSUPPORTED): strings, sequences, optionals, Loop and Scan, 4-bit integers, 4-bit and 8-bit floats, complex numbers, and operators that are not below. ${passing} of ONNX's own backend tests pass; each of the others is refused that way.`,
    "Operators over constants are computed at load, and arithmetic on shapes while a plan is made. *Panels* are the layout of encoder layers, several steps between two barriers; *row-major* steps run one at a time, divided among the threads. Encoder patterns are fused into the engine's own operators, which never appear in ONNX files.",
    section('ONNX operators', of('onnx'), generic),
    section("The engine's own operators", of('engine'), generic),
  ].join('\n\n')}\n`;
}
